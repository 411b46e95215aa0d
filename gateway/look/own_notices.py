"""A controller's own privacy notice, held to what can be checked of a text.

It must name whom the law wants named, lead to no page of ours that there is not, and
say nothing in the built-in notice's words that the built-in one would not say now:
whoever starts from ours keeps sentences that a later setting makes untrue. What it says
in words of its own is the controller's to answer for. Docs: adr/0021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.config.countries import EEA, name_of
from gateway.look import claims, generated_notices

if TYPE_CHECKING:
    from gateway.config.config import Config

# What of ours a notice may lead to; the table of routes has it (tests/unit/test_own_notices.py).
PAGES: Final = (
    "/",
    "/my-data",
    "/my-data/why",
    "/my-data/preferences",
    "/my-data/restrict",
    "/my-data/object",
    "/my-data/erase",
    "/my-data/pace",
    "/my-data/rectify",
    "/docs",
)
_CLAIM: Final = re.compile(r"\{\{ claim\.([a-z_]+) \}\}")
_VALUE: Final = re.compile(r"\{\{.*?\}\}")
_ANY: Final = "\x00"  # stands for a value in what the built-in notice says


def problems(config: Config, language: str, text: str) -> Iterator[str]:
    """What is missing in *text*, and what it says that is not so."""
    read = _read(text)
    for about, named in _to_name(config, language):
        if _read(named) not in read:
            yield f'does not name {about}: "{named}"'
    yield from _untrue(config, language, read)
    for url in _links(config, text):
        yield f"leads to {url}, which is no page of this gateway"


def _read(text: str) -> str:
    """As people read it, whatever the lines and marks of Markdown."""
    unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    return " ".join(re.sub(r"[*_>]|^\s*-\s", " ", unescaped, flags=re.MULTILINE).split())


def _to_name(config: Config, language: str) -> Iterator[tuple[str, str]]:
    """Who must be named (Art. 13(1)(a), (b), (e) and (f) GDPR, § 5 DDG)."""
    yield "the controller", config.controller.name
    yield "the controller's address", config.controller.postal_address
    yield "the contact", config.controller.contact
    for name, sender in sorted(config.senders.items()):
        yield f"senders.{name}", sender.name
        yield f"the imprint of senders.{name}", sender.imprint_url
    for name, one in sorted(config.processors.items()):
        yield f"processors.{name}", one.name
        if one.country not in EEA:
            yield f"the country of processors.{name}", name_of(one.country, language)


def _untrue(config: Config, language: str, read: str) -> Iterator[str]:
    said = claims.statements(generated_notices.generate(config, language))
    true = {_read(one.text) for one in said}
    for claim, form in _forms(generated_notices.template(language)):
        for found in form.finditer(read):
            if found[0] not in true:
                yield f'says "{found[0]}" ({claim}), and as it is configured that is not so'


@lru_cache(maxsize=4)
def _forms(template: Path) -> Sequence[tuple[str, re.Pattern[str]]]:
    """What the built-in notice can say under each claim, whatever the values in it."""
    raw = template.read_text("utf-8")
    found = claims.statements(_CLAIM.sub(lambda one: claims.Marks()[one[1]], raw))
    return [(one.claim, re.compile(_form(one.text))) for one in found]


def _form(text: str) -> str:
    parts = _read(_VALUE.sub(_ANY, text)).split(_ANY)
    return ".{1,300}?".join(re.escape(part) for part in parts)


def _links(config: Config, text: str) -> Iterator[str]:
    """Links to pages of ours that there are not."""
    ours = re.escape(config.server.public_url)
    forms = {f"/forms/{name}" for name in config.forms}
    for found in re.finditer(rf"{ours}(/[^\s)>\]?#]*)", text):
        path = found[1].rstrip(".,;:/") or "/"
        if path not in {*PAGES, *forms} and not path.startswith("/notices/"):
            yield f"{config.server.public_url}{path}"
