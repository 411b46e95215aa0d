"""The log as a zip that checks itself: entries, hashes, checkpoints, and what was disclosed.

docs/formats/bundle.md defines the bytes. It is checked by `templates/bundle/verify_audit.py`,
which knows nothing of this code. Written in bounded memory, and no transaction stays open while
the reader is slow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from audit.canonical import canonical
from audit.entry import format_moment
from audit.export import people, spans
from audit.export.selection import Part, Wanted, chosen
from audit.export.zipping import Listed, Zipping
from audit.published import Stored
from storage.database import Database

T = TypeVar("T")

FORMAT = "consentgw/audit/bundle/v1"
MANIFEST = "consentgw/audit/manifest/v1"


class Aside(Protocol):
    """Does work that holds the processor where it holds up nobody."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


Sign = Callable[[str], str]  # makes a note of a manifest's text


async def write(
    data: Database,
    origin: str,
    parts: Sequence[Part],
    wanted: Wanted,
    files: Mapping[str, Sequence[bytes]],
    sign: Sign,
    now: datetime,
    aside: Aside,
) -> AsyncIterator[bytes]:
    """The bytes of a bundle of the logs of *origin*; *files* are put in as they are, first."""
    zipping = Zipping()

    async def file(path: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        writing = zipping.begin(path)
        async for piece in pieces:
            await aside(partial(writing.write, piece))
            yield zipping.drain()
        writing.end()

    for path, content in files.items():
        zipping.add(path, content)
    zipping.add("about.json", [_about(wanted, now)])
    for part in parts:
        folder = f"log/{part.generation}"
        zipping.add(f"{folder}/checkpoint", [part.newest.note.encode()])
        zipping.add(f"{folder}/checkpoints.jsonl", map(_noted, part.older))
        ranges = await chosen(data, part, wanted)
        sizes = [one.checkpoint.size for one in part.older]
        sizes += wanted.sizes.get(part.generation, ())
        lines = spans.lines(data, part.base, part.size, ranges, sizes)
        async for raw in file(f"{folder}/entries.jsonl", _seen(lines, wanted)):
            yield raw
    for path, told in _of_people(data, parts, wanted).items():
        async for raw in file(path, told):
            yield raw
    zipping.add("manifest.note", [sign(_manifest(origin, now, zipping.listed)).encode()])
    zipping.finish()
    yield zipping.drain()


async def _seen(lines: AsyncIterator[bytes], wanted: Wanted) -> AsyncIterator[bytes]:
    async for piece in lines:
        wanted.passed(piece.count(b"\n"))
        yield piece


def _of_people(
    data: Database, parts: Sequence[Part], wanted: Wanted
) -> dict[str, AsyncIterator[bytes]]:
    """What a bundle adds to the entries, file by file."""
    files: dict[str, AsyncIterator[bytes]] = {}
    if wanted.person is not None:
        files["openings.jsonl"] = wanted.person.lines(data)
    if wanted.pseudonyms is not None:
        files["people.jsonl"] = people.lines(data, parts, wanted, wanted.pseudonyms)
    return files


def _about(wanted: Wanted, now: datetime) -> bytes:
    said: dict[str, Any] = {"format": FORMAT, "kind": wanted.kind, "made_at": format_moment(now)}
    for name, at in (("since", wanted.since), ("until", wanted.until)):
        said[name] = None if at is None else format_moment(at)
    return canonical(said) + b"\n"


def _noted(one: Stored) -> bytes:
    return canonical(one.note) + b"\n"


def _manifest(origin: str, now: datetime, listed: Iterable[Listed]) -> str:
    lines = [f"{one.size} {one.digest} {one.path}" for one in sorted(listed, key=_path)]
    return "\n".join([MANIFEST, origin, format_moment(now), *lines]) + "\n"


def _path(one: Listed) -> str:
    return one.path
