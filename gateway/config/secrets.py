"""Values that stand in a file of their own or in the environment, never in the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config.fields import holds_password

# `url` may be given as `url_file` or `url_env` instead; a password only so, and what webhooks are
# signed with.
_URLS = (("storage", "url"), ("storage", "keystore_url"), ("audit", "guard_url"))
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]*")
_PASSWORDS = (("delivery", "relay", "password"), ("desk", "oidc", "client_secret"))


@dataclass(frozen=True, slots=True)
class Fetched:
    """By which keys the values were given, by their own; of one that was not got, what is wrong."""

    by: dict[tuple[str, ...], str]
    problems: dict[tuple[str, ...], str]

    def name(self, path: Sequence[str]) -> str:
        """The key path as the operator wrote it, or can write it."""
        *sections, key = path or ("",)
        wanted = " or ".join(keys_of(tuple(path))) if _is_of_hook(path) else key
        return ".".join((*sections, self.by.get(tuple(path), wanted)))


_HOOK = ("webhooks", "*", "secret")


def keys_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys by which a value may be given that has its place at *path*."""
    apart = (f"{path[-1]}_file", f"{path[-1]}_env")
    if path in _PASSWORDS or _is_of_hook(path):
        return apart
    return (path[-1], *apart) if path in _URLS else path[-1:]


def _is_of_hook(path: Sequence[str]) -> bool:
    """Whether what a webhook is signed with has its place there, whatever its name."""
    return len(path) == len(_HOOK) and (path[0], path[-1]) == _HOOK[::2]


def fetch(tree: dict[str, Any], base: Path) -> Fetched:
    """Replace each `x_file` and `x_env` in *tree* by the `x` it leads to.

    What went wrong is told as `key.path: problem`; it quotes no value. A relative
    file is relative to *base*.
    """
    fetched = Fetched({}, {})
    hooks = [(_HOOK[0], name, _HOOK[2]) for name in _table(tree, ["webhooks"])]
    for *sections, key in [*_URLS, *_PASSWORDS, *hooks]:
        table, path = _table(tree, sections), (*sections, key)
        try:
            _check_written(table, key, secret=path not in _URLS)
            place = _fetch(table, key, base)
        except ValueError as error:
            fetched.problems[path] = f"{'.'.join(sections)}.{error}"
            continue
        if place is not None:
            fetched.by[path] = place
    return fetched


def _table(tree: Any, sections: list[str]) -> dict[str, Any]:
    for section in sections:
        tree = tree.get(section) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def _check_written(table: dict[str, Any], key: str, *, secret: bool) -> None:
    if key not in table or not (secret or holds_password(str(table[key]))):
        return
    del table[key]
    kind = "secret" if key.endswith("secret") else "password"
    raise ValueError(f"{key}: a {kind} must not stand here; use {key}_file or {key}_env")


def _fetch(table: dict[str, Any], key: str, base: Path) -> str | None:
    """Put the value in its place; by which key it was given, where it was."""
    given = {name: table.pop(name) for name in (key, f"{key}_file", f"{key}_env") if name in table}
    if len(given) > 1:
        raise ValueError(f"{key}: given by {' and by '.join(given)}; keep one")
    for place, said in given.items():
        table[key] = said if place == key else _read(place, str(said), base)
        return place
    return None


def _read(place: str, where: str, base: Path) -> str:
    if place.endswith("_env"):
        if where not in os.environ:
            # What does not look like a name may be the very secret, in the wrong place.
            named = f" {where}" if _VARIABLE.fullmatch(where) else ""
            raise ValueError(f"{place}: the variable{named} is not set where this runs")
        return os.environ[where]
    try:
        return Path(base, where).read_text(encoding="utf-8").strip()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ValueError(f"{place}: the file cannot be read: {why}, from {base}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{place}: the file cannot be read: it is no UTF-8") from None
