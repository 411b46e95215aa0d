"""Closing a log that lost entries, and opening its successor: the one way on (ADR 0029).

Begin with the guard, end with the data. In between the guard tells of a log that the data do
not know, and no process starts: whoever is killed there runs the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, gaps, nodes, numbers, published, succession, tree
from audit.checkpoints import Checkpoint, Verifier
from audit.entry import Entry, Event, draft, parse
from audit.errors import NoteError
from audit.gaps import Cause, Gap
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.rowmac import LOGGED
from audit.seen import Seen
from audit.signers import Signers
from audit.tables import audit_checkpoint, audit_entry, audit_guard, audit_node, audit_state
from audit.tree import Frontier, Node, leaf_hash
from storage.clock import Clock
from storage.database import Database
from storage.keysets import KeySet
from storage.sound import sound
from storage.types import upsert

_CHUNK = 1024
_WORDS = (Kind.LOG_OPENED, Kind.LOG_CLOSED)


async def current(connection: AsyncConnection, keys: KeySet, verifier: Verifier) -> int:
    """Which of the logs the data work with: 1 before there was a successor.

    Anybody may write a row of state: a successor is one that a gateway opened, or signed of.
    """
    first = verifier.name
    log = Log(first, keys, "")
    names = (await connection.execute(select(audit_state.c.log))).scalars()
    named = {succession.generation_named(first, str(name)) or 1 for name in names}
    for generation in sorted(named - {1}, reverse=True):
        if await _was_opened(connection, log, generation):
            return generation
        if await published.newest(connection, verifier, generation) is not None:
            return generation  # of one whose first entry somebody damaged
    return 1


async def _was_opened(connection: AsyncConnection, log: Log, generation: int) -> bool:
    first = audit_entry.c.leaf_index == succession.base_of(generation)
    row = (await connection.execute(select(*LOGGED).where(first, sound(audit_entry)))).first()
    one = None if row is None else log.logged(row)
    return one is not None and one.entry.kind is Kind.LOG_OPENED


@dataclass(frozen=True, slots=True)
class Guards:
    """What the guard's store holds of a log and its successors: notes by their number."""

    notes: Mapping[int, str]
    said: Mapping[int, Checkpoint]  # those that our key signed

    @property
    def newest(self) -> int:
        return max(self.said, default=0)

    def size(self, generation: int) -> int | None:
        return self.said[generation].size if generation in self.said else None

    def beside(self, seen: Iterable[Seen], verifier: Verifier) -> Guards:
        """The same, with what somebody saw published, where that is more than they hold."""
        more = {one.generation: one for one in seen if (self.size(one.generation) or 0) < one.size}
        notes = {number: one.note for number, one in more.items()}
        said = {number: verifier.of(number).checkpoint(note) for number, note in notes.items()}
        return Guards({**self.notes, **notes}, {**self.said, **said})


async def guards(guard: AsyncConnection, verifier: Verifier) -> Guards:
    """Read every guard; *verifier* is that of the first log."""
    rows = await guard.execute(
        select(audit_guard.c.log, audit_guard.c.note).where(sound(audit_guard))
    )
    named = [(succession.generation_named(verifier.name, row.log), row.note) for row in rows]
    notes = {generation: note for generation, note in named if generation is not None}
    said = {}
    for generation, note in notes.items():
        try:
            said[generation] = verifier.of(generation).checkpoint(note)
        except NoteError:
            continue  # somebody wrote it: it says nothing
    return Guards(notes, said)


async def told(connection: AsyncConnection, log: Log, verifier: Verifier) -> dict[int, Gap]:
    """What successors say of the logs before them, by their number: the last word counts."""
    found: dict[int, Gap] = {}
    for generation in range(2, log.generation + 1):
        base = succession.base_of(generation)
        query = select(*LOGGED).where(
            audit_entry.c.leaf_index.between(base, base + generation), sound(audit_entry)
        )
        for row in await connection.execute(query.order_by(audit_entry.c.leaf_index)):
            one = log.logged(row)
            if one is None or one.entry.kind not in _WORDS:
                break
            try:
                gap = gaps.read(one.entry.refs, verifier)
            except NoteError:
                break
            if gap.generation < generation:
                found[gap.generation] = gap
    return found


@dataclass(slots=True)
class Survey:
    """How far one log is there and whole: what its closing rests on."""

    generation: int
    frontier: Frontier = field(default_factory=Frontier)
    nodes: list[Node] = field(default_factory=list)
    flaw: str | None = None  # what ends it, but that there is no more

    @property
    def size(self) -> int:
        return self.frontier.size


async def survey(
    data: Database, log: Log, generation: int, guards: Guards, verifier: Verifier
) -> Survey:
    """Walk a log from its first entry on, up to the last that a gateway wrote and that fits.

    Where the entries do not give a root that was signed, it ends at the last root that
    they give: what was changed in between was changed by somebody who has our keys, or
    has put back an old row whole.
    """
    claims = await _claims(data, generation, guards, verifier)
    found, good = Survey(generation), Survey(generation)
    async with data.read() as connection:
        counted = await _counted(connection, log.first, generation)
    while found.flaw is None:
        async with data.read() as connection:
            entries = await _whole(connection, log, generation, found.size, counted)
        if not entries:
            break
        for size in [
            *(one for one in sorted(claims) if found.size < one < found.size + len(entries)),
            found.size + len(entries),
        ]:
            taken, entries = entries[: size - found.size], entries[size - found.size :]
            found.nodes += found.frontier.extend([leaf_hash(entry) for entry in taken])
            if found.size in claims:
                if claims[found.size] != found.frontier.root:
                    good.flaw = f"the entries do not give what was signed of the first {size}"
                    return good
                good = Survey(
                    generation, Frontier(found.size, found.frontier.packed), list(found.nodes)
                )
    if counted is not None and found.size < counted:
        found.flaw = f"entry {found.size} is not what a gateway wrote, or is missing"
    return found


async def _claims(
    data: Database, generation: int, guards: Guards, verifier: Verifier
) -> dict[int, bytes]:
    """The roots that were signed of this log, by size."""
    base = succession.base_of(generation)
    query = select(audit_checkpoint.c.note).where(
        audit_checkpoint.c.size.between(base + 1, base + succession.STRIDE - 1),
        sound(audit_checkpoint),
    )
    async with data.read() as connection:
        notes = list((await connection.execute(query)).scalars())
    claims = {}
    for note in notes:
        try:
            claim = verifier.of(generation).checkpoint(note)
        except NoteError:
            continue
        claims[claim.size] = claim.root
    if generation in guards.said:
        claims[guards.said[generation].size] = guards.said[generation].root
    return claims


async def _counted(connection: AsyncConnection, first: str, generation: int) -> int | None:
    name = succession.name_of(first, generation)
    query = select(audit_state.c.size).where(audit_state.c.log == name, sound(audit_state))
    size: int | None = (await connection.execute(query)).scalar()
    return size


async def _whole(
    connection: AsyncConnection, log: Log, generation: int, start: int, counted: int | None
) -> list[bytes]:
    """The next entries as a gateway wrote them there, up to the first that is not so."""
    place, base = audit_entry.c.leaf_index, succession.base_of(generation)
    end = start + _CHUNK if counted is None else min(start + _CHUNK, counted)
    query = select(*LOGGED).where(place >= base + start, place < base + end, sound(audit_entry))
    found: list[bytes] = []
    for row in await connection.execute(query.order_by(place)):
        if row.leaf_index != base + start + len(found) or not _is_whole(log, row):
            break
        found.append(row.entry)
    return found


def _is_whole(log: Log, row: object) -> bool:
    return log.logged(row) is not None


class Opening:
    """Opens the successor of what is left of a log."""

    def __init__(
        self,
        log: Log,
        signers: Signers,
        data: Database,
        guard: Database,
        clock: Clock,
        seen: Sequence[Seen] = (),
    ) -> None:
        """*seen* is what was published of each log by what is known outside of the stores."""
        self._log = log
        self._seen = seen
        self._signers = signers
        self._data = data
        self._guard = guard
        self._clock = clock
        self._verifier = signers.verifier

    async def begin(self) -> Log:
        """Write the successor's guard, of nothing yet; from here on nothing starts before `end`."""
        async with self._guard.begin() as connection:
            found = await guards(connection, self._verifier)
            # Behind one that was seen too: of no size of any name there may be two roots.
            known = max((one.generation for one in self._seen), default=0)
            known = max(known, self._log.generation)
            # One that was begun and has nothing yet is gone on with.
            begun = found.newest > known and found.size(found.newest) == 0
            newest = max(found.newest, known)
            number = found.newest if begun else newest + 1
            name = succession.name_of(self._log.first, number)
            note = self._sign(number, 0, tree.EMPTY_ROOT)
            row = {"log": name, "size": 0, "note": note}
            # Not our note of it, or it would have been found: somebody's row is in nobody's way.
            if not begun:
                await connection.execute(delete(audit_guard).where(audit_guard.c.log == name))
                await connection.execute(insert(audit_guard).values(row))
        return self._log.successor(number)

    async def end(self, successor: Log, cause: Cause, events: Sequence[Event] = ()) -> list[Gap]:
        """Close what there is and open *successor*, in one transaction; *events* are its first.

        Returns what was lost. What is staged comes into it, behind them.
        """
        async with self._guard.read() as connection:
            found = await guards(connection, self._verifier)
        found = found.beside(self._seen, self._verifier)
        surveys = [
            await survey(self._data, self._log, one, found, self._verifier)
            for one in range(1, successor.generation)
        ]
        async with self._data.begin() as connection:
            known = await told(connection, self._log, self._verifier)
            lost = [
                self._gap(one, found, cause)
                for one in surveys
                if one.generation == successor.generation - 1
                or one.generation not in known
                or known[one.generation].size != one.size
            ]
            for one in surveys:
                await self._close(connection, one)
            await self._open(connection, successor, lost, events)
        return lost

    def _gap(self, one: Survey, found: Guards, cause: Cause) -> Gap:
        held = found.said.get(one.generation)
        note = found.notes[one.generation] if held is not None else None
        cause = cause if one.flaw is None else Cause.DAMAGED
        return gaps.gap(one.generation, one.size, one.frontier.root, note, held, cause)

    async def _close(self, connection: AsyncConnection, one: Survey) -> None:
        """Let nobody write into it any more, prove what is there, and mend its nodes."""
        name, base = (
            succession.name_of(self._log.first, one.generation),
            succession.base_of(one.generation),
        )
        await connection.execute(delete(audit_state).where(audit_state.c.log == name))
        for level in range(tree.STORED_LEVELS, 41, tree.STORED_LEVELS):
            start = base >> level
            end = start + (succession.STRIDE >> level) - 1
            theirs = audit_node.c.position.between(start, end)
            await connection.execute(delete(audit_node).where(audit_node.c.level == level, theirs))
        await nodes.keep(connection, one.nodes, base)
        if one.size:
            # The root of entries that are proved: of this size there can be no other.
            note = self._sign(one.generation, one.size, one.frontier.root)
            row = {
                "size": base + one.size,
                "note": note,
                "published_at": await self._clock.now(connection),
            }
            await connection.execute(
                upsert(connection, audit_checkpoint).values(row).on_conflict_do_nothing()
            )

    def _sign(self, generation: int, size: int, root: bytes) -> str:
        name = succession.name_of(self._log.first, generation)
        seed = self._signers.seed(succession.base_of(generation) + size)
        return checkpoints.sign(Checkpoint(name, size, root), seed.reveal())

    async def _open(
        self, connection: AsyncConnection, new: Log, lost: Sequence[Gap], events: Sequence[Event]
    ) -> None:
        row = {"log": new.origin, "size": 0, "frontier": b""}
        # What somebody planted under its name is in nobody's way.
        await connection.execute(delete(audit_state).where(audit_state.c.log == new.origin))
        await connection.execute(insert(audit_state).values(row))
        now = await self._clock.now(connection)
        before, older = lost[-1], lost[:-1]
        said = [Event(Kind.LOG_OPENED, Actor.OPERATOR, now, refs=before.refs)]
        said += [Event(Kind.LOG_CLOSED, Actor.OPERATOR, now, refs=one.refs) for one in older]
        first = [_entry(event, new.node) for event in (*said, *events)]
        frontier = Frontier()
        await new.append(connection, frontier, first, None)
        await self._take_in(connection, new, frontier)
        await numbers.begin_behind(connection, new.base)

    async def _take_in(self, connection: AsyncConnection, new: Log, frontier: Frontier) -> None:
        """What is staged was staged for the log before: it is this one's now, or nobody's."""
        while staged := await self._log.take(connection, _CHUNK):
            await new.append(connection, frontier, staged, None)


def _entry(event: Event, node: str) -> tuple[Entry, bytes]:
    made = draft(event, None, node).entry
    return parse(made), made
