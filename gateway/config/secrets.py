"""Values that stand in a file of their own or in the environment, never in the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gateway.config.fields import holds_password

# `url` may be given as `url_file` or `url_env` instead; a password only so, and what webhooks are
# signed with.
_URLS = (("storage", "url"), ("storage", "keystore_url"), ("audit", "guard_url"))
_PASSWORDS = (("delivery", "relay", "password"),)


def fetch(tree: dict[str, Any], base: Path) -> list[str]:
    """Replace each `x_file` and `x_env` in *tree* by the `x` it leads to.

    Returns what went wrong, as `key.path: problem`; quotes no value. A relative
    file is relative to *base*.
    """
    problems = []
    hooks = [("webhooks", name, "secret") for name in _table(tree, ["webhooks"])]
    for *sections, key in [*_URLS, *_PASSWORDS, *hooks]:
        table = _table(tree, sections)
        try:
            _check_written(table, key, secret=(*sections, key) not in _URLS)
            _fetch(table, key, base)
        except ValueError as error:
            problems.append(f"{'.'.join(sections)}.{error}")
    return problems


def _table(tree: Any, sections: list[str]) -> dict[str, Any]:
    for section in sections:
        tree = tree.get(section) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def _check_written(table: dict[str, Any], key: str, *, secret: bool) -> None:
    if key not in table or not (secret or holds_password(str(table[key]))):
        return
    del table[key]
    kind = "secret" if key == "secret" else "password"
    raise ValueError(f"{key}: a {kind} must not stand here; use {key}_file or {key}_env")


def _fetch(table: dict[str, Any], key: str, base: Path) -> None:
    places = [name for name in (key, f"{key}_file", f"{key}_env") if name in table]
    if len(places) > 1:
        raise ValueError(f"{key}: given by {' and by '.join(places)}; keep one")
    for place in places:
        if place != key:
            table[key] = _read(place, str(table.pop(place)), base)


def _read(place: str, where: str, base: Path) -> str:
    if place.endswith("_env"):
        if where not in os.environ:
            raise ValueError(f"{place}: the variable is not set")
        return os.environ[where]
    try:
        return Path(base, where).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{place}: the file cannot be read") from None
