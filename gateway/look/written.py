"""Papers that are written as a whole in each language: lines of text become blocks. Pure.

A template says what a line is by how it begins; a value never begins one, and never ends it:
`rendered` sees to that. So what somebody typed is text, whatever it looks like.

    # title   ## heading   ### smaller heading   - item   > words of somebody's
    name :: value          | cell | cell (the first such line is the head)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.look import claims, resources
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Table, Words
from gateway.look.translations import choose_locale

# No-break spaces stay: French has them within its quotes, and a break there is ugly.
_SPACE: Final = re.compile(r"[^\S\u00a0\u202f]+")
_FACT: Final = " :: "
# What these are in a value, while lines are told apart: characters of nobody's writing.
_ASIDE: Final = {"|": "\ue000", "::": "\ue001"}


def paper(name: str, locale: str, facts: Mapping[str, Any], author: str, foot: str) -> Paper:
    """The paper of that name in *locale*, or in English; *facts* are what its template needs."""
    text = claims.without_marks(rendered(name, locale, facts))
    title, *lines = (line for line in text.splitlines() if line.strip())
    blocks = list(blocks_of(lines))
    return Paper(title.removeprefix("# "), language(name, locale), author, foot, blocks)


def rendered(name: str, locale: str, facts: Mapping[str, Any]) -> str:
    """The lines of a paper, with the marks of its claims."""
    template = _templates().get_template(f"{name}/{language(name, locale)}.md")
    return template.render(claim=claims.Marks(), **facts)


def language(name: str, locale: str) -> str:
    written = sorted(path.stem for path in (_folder() / name).glob("*.md"))
    return choose_locale(None, locale, sorted(written, key=lambda one: one != "en"))


def blocks_of(lines: Iterable[str]) -> Iterator[Block]:
    """What the lines say; those of one kind that follow each other are one block."""
    for kind, group in groupby(lines, _kind):
        yield from _MAKES[kind]([_cut(kind, line) for line in group])


def _kind(line: str) -> str:
    first, _, _ = line.partition(" ")
    if first in ("##", "###", "-", ">", "|"):
        return first
    return _FACT if _FACT in line else ""


def _cut(kind: str, line: str) -> str:
    return line if kind in ("", _FACT) else line[len(kind) + 1 :]


def _headings(level: int) -> Callable[[Sequence[str]], Iterator[Block]]:
    return lambda lines: (Heading(_whole(line), level) for line in lines)


def _words(lines: Sequence[str]) -> Iterator[Block]:
    return (Words(_whole(line)) for line in lines)


def _listing(lines: Sequence[str]) -> Iterator[Block]:
    yield Listing([_whole(line) for line in lines])


def _facts(lines: Sequence[str]) -> Iterator[Block]:
    pairs = (line.split(_FACT, 1) for line in lines)
    yield Facts([(_whole(name), _whole(value)) for name, value in pairs])


def _table(lines: Sequence[str]) -> Iterator[Block]:
    head, *rows = ([_whole(cell.strip()) for cell in line.split("|")] for line in lines)
    if rows:
        yield Table(head, rows)


_MAKES: Final[Mapping[str, Callable[[Sequence[str]], Iterator[Block]]]] = {
    "##": _headings(1),
    "###": _headings(2),
    "-": _listing,
    "|": _table,
    _FACT: _facts,
    ">": _words,
    "": _words,
}


def _whole(text: str) -> str:
    for sign, instead in _ASIDE.items():
        text = text.replace(instead, sign)
    return text


def _value(value: Any) -> Any:
    """A value is one line, and neither cuts cells nor names a fact."""
    if not isinstance(value, str):
        return value
    text = _SPACE.sub(" ", value).strip()
    for sign, instead in _ASIDE.items():
        text = text.replace(sign, instead)
    return text


def _folder() -> Path:
    return resources.templates() / "papers"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    # Text that is set as text: nothing of it is read as markup by whoever sets it.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(_folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_value,
    )
