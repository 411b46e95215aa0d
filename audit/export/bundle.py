"""The log as a zip that checks itself: entries, hashes, checkpoints, and what was disclosed.

docs/formats/bundle.md defines the bytes. It is checked by `templates/bundle/verify_audit.py`,
which knows nothing of this code. Written in bounded memory, and no transaction stays open while
the reader is slow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published, succession, successor
from audit.canonical import canonical
from audit.checkpoints import Verifier
from audit.entry import format_moment
from audit.export import spans
from audit.export.disclosed import Disclosing
from audit.export.zipping import Listed, Zipping
from audit.kinds import Kind
from audit.log import Log
from audit.published import Stored
from audit.tables import audit_checkpoint, audit_entry
from audit.tree import Range
from storage.database import Database
from storage.sound import sound

T = TypeVar("T")

FORMAT = "consentgw/audit/bundle/v1"
MANIFEST = "consentgw/audit/manifest/v1"
# Whatever else is left out: without these, nobody could check what the others rest on.
_ALWAYS = (Kind.TEXT_PUBLISHED, Kind.LOG_OPENED, Kind.LOG_CLOSED, Kind.KEY_ROTATED)


class Aside(Protocol):
    """Does work that holds the processor where it holds up nobody."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


Sign = Callable[[str], str]  # makes a note of a manifest's text


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; *sizes* are those of checkpoints that somebody holds, by their log."""

    since: datetime | None = None
    until: datetime | None = None
    person: Disclosing | None = None
    sizes: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        if self.person is not None:
            return self.person.kind
        return "log" if self.since is None and self.until is None else "period"


@dataclass(frozen=True, slots=True)
class Part:
    """One log, as far as its checkpoint covers it."""

    generation: int
    newest: Stored
    older: Sequence[Stored]  # those that were public

    @property
    def base(self) -> int:
        return succession.base_of(self.generation)

    @property
    def size(self) -> int:
        return self.newest.checkpoint.size


async def parts_of(data: Database, log: Log, verifier: Verifier) -> list[Part]:
    """The logs that were published, oldest first; none before the first checkpoint."""
    async with data.read() as connection:
        closed = await successor.told(connection, log, verifier)
        found = []
        for generation in range(1, log.generation + 1):
            most = closed[generation].size if generation in closed else None
            newest = await published.newest(connection, verifier, generation, most)
            if newest is not None:
                older = await _public(connection, verifier, generation, newest.checkpoint.size)
                found.append(Part(generation, newest, older))
    return found


def sizes_of(verifier: Verifier, held: Iterable[str]) -> dict[int, list[int]]:
    """Of which sizes the notes are that somebody holds, by their log.

    *verifier* is that of the first. Raises `NoteError` for what no log of ours signed.
    """
    found: dict[int, list[int]] = {}
    for note in held:
        generation = succession.generation_named(verifier.name, note.split("\n", 1)[0]) or 1
        found.setdefault(generation, []).append(verifier.of(generation).checkpoint(note).size)
    return found


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
        chosen = await _chosen(data, part, wanted)
        sizes = [one.checkpoint.size for one in part.older]
        sizes += wanted.sizes.get(part.generation, ())
        lines = spans.lines(data, part.base, part.size, chosen, sizes)
        async for raw in file(f"{folder}/entries.jsonl", lines):
            yield raw
    if wanted.person is not None:
        async for raw in file("openings.jsonl", wanted.person.lines(data)):
            yield raw
    zipping.add("manifest.note", [sign(_manifest(origin, now, zipping.listed)).encode()])
    zipping.finish()
    yield zipping.drain()


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


async def _public(
    connection: AsyncConnection, verifier: Verifier, generation: int, size: int
) -> list[Stored]:
    """The checkpoints of a log that strangers were shown, but the newest."""
    base, place = succession.base_of(generation), audit_entry.c.leaf_index
    over = select(func.min(audit_checkpoint.c.size)).where(
        audit_checkpoint.c.size > place, audit_checkpoint.c.size < base + size
    )
    shown = select(over.correlate(audit_entry).scalar_subquery()).where(
        audit_entry.c.kind == Kind.LOG_SHOWN, place >= base, place < base + size
    )
    query = select(audit_checkpoint.c.size).where(
        audit_checkpoint.c.size.in_(shown), sound(audit_checkpoint)
    )
    sizes = (await connection.execute(query.order_by(audit_checkpoint.c.size))).scalars().all()
    found = [await published.of_size(connection, verifier, at) for at in sizes]
    return [one for one in found if one is not None]


async def _chosen(data: Database, part: Part, wanted: Wanted) -> list[Range]:
    if wanted.kind == "log":
        return spans.merged([Range(0, part.size)])
    place, at = audit_entry.c.leaf_index, audit_entry.c.at
    inside = (place >= part.base, place < part.base + part.size, sound(audit_entry))
    always = select(place).where(audit_entry.c.kind.in_(_ALWAYS), *inside)
    async with data.read() as connection:
        found = _runs(part, (await connection.execute(always.order_by(place))).scalars())
        if wanted.person is not None:
            theirs = await wanted.person.places(connection, part.base, part.size)
            found += _runs(part, theirs)
        else:
            # One stretch: neighbours may be dated the other way round.
            first, last = select(func.min(place)).where(*inside), select(func.max(place))
            last = last.where(*inside)
            if wanted.since is not None:
                first = first.where(at >= format_moment(wanted.since))
            if wanted.until is not None:
                last = last.where(at < format_moment(wanted.until))
            begin = (await connection.execute(first)).scalar_one()
            end = (await connection.execute(last)).scalar_one()
            if begin is not None and end is not None and begin <= end:
                found.append(Range(begin - part.base, end + 1 - part.base))
    return spans.merged(found)


def _runs(part: Part, places: Iterable[int]) -> list[Range]:
    return list(spans.runs(place - part.base for place in places))
