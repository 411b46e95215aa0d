"""What an export is of: up to which checkpoint of which logs, and which entries of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published, succession, successor
from audit.checkpoints import Verifier
from audit.entry import format_moment
from audit.export import spans
from audit.export.disclosed import Disclosing
from audit.export.pseudonyms import Pseudonyms
from audit.kinds import Kind
from audit.log import Log
from audit.published import Stored
from audit.tables import audit_checkpoint, audit_entry
from audit.tree import Range
from storage.database import Database
from storage.sound import sound

# Whatever else is left out: without these, nobody could check what the others rest on.
_ALWAYS = (Kind.TEXT_PUBLISHED, Kind.LOG_OPENED, Kind.LOG_CLOSED, Kind.KEY_ROTATED)


Passed = Callable[[int], object]  # is told how many entries were gone through since


def unseen(_: int) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; *sizes* are those of checkpoints that somebody holds, by their log."""

    since: datetime | None = None
    until: datetime | None = None
    person: Disclosing | None = None
    pseudonyms: Pseudonyms | None = None  # people have such names, and nothing is opened
    sizes: Mapping[int, Sequence[int]] = field(default_factory=dict)
    passed: Passed = unseen

    @property
    def is_whole(self) -> bool:
        return self.person is None and self.since is None and self.until is None

    @property
    def kind(self) -> str:
        """As `about.json` says it."""
        if self.person is not None:
            return self.person.kind
        if self.pseudonyms is not None:
            return "authority"
        return "log" if self.is_whole else "period"


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


async def parts_of(
    data: Database, log: Log, verifier: Verifier, up_to: int | None = None
) -> list[Part]:
    """The logs that were published, oldest first; none before the first checkpoint.

    Of the last one as much as the checkpoint covers that ends at the place *up_to*, by default the
    newest: the same one gives the same entries whenever it is asked for. None where there is none.
    """
    last = log.generation if up_to is None else succession.generation_of(up_to - 1)
    async with data.read() as connection:
        closed = await successor.told(connection, log, verifier)
        found = []
        for generation in range(1, last + 1):
            most = closed[generation].size if generation in closed else None
            if generation == last and up_to is not None:
                newest = await _that(connection, verifier, up_to, most)
                if newest is None:
                    return []
            else:
                newest = await published.newest(connection, verifier, generation, most)
            if newest is not None:
                older = await _public(connection, verifier, generation, newest.checkpoint.size)
                found.append(Part(generation, newest, older))
    return found


async def _that(
    connection: AsyncConnection, verifier: Verifier, place: int, most: int | None
) -> Stored | None:
    found = await published.of_size(connection, verifier, place)
    beyond = found is not None and most is not None and found.checkpoint.size > most
    return None if beyond else found


def sizes_of(verifier: Verifier, held: Iterable[str]) -> dict[int, list[int]]:
    """Of which sizes the notes are that somebody holds, by their log.

    *verifier* is that of the first. Raises `NoteError` for what no log of ours signed.
    """
    found: dict[int, list[int]] = {}
    for note in held:
        generation = succession.generation_named(verifier.name, note.split("\n", 1)[0]) or 1
        found.setdefault(generation, []).append(verifier.of(generation).checkpoint(note).size)
    return found


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


async def last_of(connection: AsyncConnection, kinds: Collection[Kind]) -> int | None:
    """The place of the last event of *kinds*; None where there is none."""
    query = select(func.max(audit_entry.c.leaf_index)).where(audit_entry.c.kind.in_(kinds))
    found: int | None = (await connection.execute(query.where(sound(audit_entry)))).scalar_one()
    return found


async def chosen(data: Database, part: Part, wanted: Wanted) -> list[Range]:
    """Which entries of a log are in an export, by their indexes."""
    if wanted.is_whole:
        return spans.merged([Range(0, part.size)])
    place, at = audit_entry.c.leaf_index, audit_entry.c.at
    inside = (place >= part.base, place < part.base + part.size, sound(audit_entry))
    always = select(place).where(audit_entry.c.kind.in_(_ALWAYS), *inside)
    async with data.snapshot() as connection:
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


async def entries(data: Database, parts: Sequence[Part], wanted: Wanted) -> int:
    """How many entries an export has."""
    found = 0
    for part in parts:
        found += sum(one.end - one.start for one in await chosen(data, part, wanted))
    return found
