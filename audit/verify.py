"""Verifying the live log: every entry, in one pass, while the gateway runs.

Memory does not grow with the log, and no transaction stays open from one chunk
to the next. What is appended meanwhile is left to the next verification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import behind, nodes, published, reading, succession, successor
from audit.check import Claim, Walk, beyond, compare, hold, level_of, signed, split
from audit.checkpoints import Verifier
from audit.gaps import Cause, Gap
from audit.log import Log
from audit.openings import Ending, Openers, Openings
from audit.reading import NODE_LEVELS, State
from audit.report import Findings, Level, Problem, Report, Since
from audit.tables import audit_entry, audit_guard, guard_metadata, metadata
from audit.tree import Node
from storage.database import Database
from storage.sound import sound, unsound

_CHUNK = 2048  # entries read at once
_MALFORMED = 100  # rows of one table that are named

_BACK = "where an older backup was put back, `gateway restore` takes it from there"

# Called with entries done and entries in all.
Progress = Callable[[int, int], None]


async def verify_live(
    data: Database,
    guard: Database,
    *,
    log: Log,
    verifier: Verifier,
    opener: Openers | None = None,
    ending: Ending | None = None,
    held: Iterable[str] = (),
    progress: Progress | None = None,
    since: Since | None = None,
) -> Report:
    """Check everything that the log claims against everything that is known of it.

    Logs that were closed before it are checked with it; what they lost, and its first
    entries tell of, is an accepted gap. *verifier* is the first log's. Without *opener* sealed
    payloads are not looked at.
    *held* are checkpoint notes that were kept out of the gateway's reach; only they lift
    the level above `signed`. Facts that are gone, or whose key is, must be accounted for
    by `subject.erased`; of those who are *ending*, keys may be gone before that.

    With *since*, what was verified up to there is not read again but for what `behind` sees;
    where that is anything, all of it is, so that what is found has its place.
    """
    shared = Findings()
    lost: Mapping[int, Gap] = {}
    if log.generation > 1:
        async with data.read() as connection:
            lost = await successor.told(connection, log, verifier)
    openings = Openings(data, opener, ending)
    by_log = split(log.first, log.generation, held)
    size, level, whole, kept = 0, Level.SIGNED, True, list[str]()
    for generation in range(1, log.generation + 1):
        findings = shared if log.generation == 1 else Findings()
        live = _Live(data, log, verifier, generation, lost.get(generation), findings, openings)
        end, reached = await live.run(guard, by_log.get(generation, ()), progress, since)
        size, level = size + end, level if reached is Level.SIGNED else reached
        whole = whole and not live.begun_at
        kept += live.unproved
        if findings is not shared:
            shared.join(succession.name_of(log.first, generation), findings)
    newest = live.reached
    await _check_readable(data, metadata.sorted_tables, shared)
    await _check_readable(guard, guard_metadata.sorted_tables, shared)
    await _check_duplicates(data, shared)
    await openings.account(log.macs, shared)
    said = [gap.says(succession.name_of(log.first, one)) for one, gap in sorted(lost.items())]
    return shared.report(size, level, (*said, *kept), reached=newest, whole=whole)


class _Live:
    """The verification of one log and what it has found so far; *gap*: it was closed there."""

    def __init__(
        self,
        data: Database,
        log: Log,
        verifier: Verifier,
        generation: int,
        gap: Gap | None,
        findings: Findings,
        openings: Openings,
    ) -> None:
        self._data = data
        self._name = succession.name_of(log.first, generation)
        self._generation = generation
        self._base = succession.base_of(generation)
        self._closed = generation < log.generation
        self._gap = gap
        self._first = verifier
        self._verifier = verifier.of(generation)
        self._findings = findings
        self._openings = openings
        self._macs = log.macs
        self._walk = Walk(findings, log.macs, self._base)
        self.begun_at = 0  # which entry was the first that was read
        self._claims: dict[int, list[Claim]] = {}  # of guard and holders outside
        self.unproved: list[str] = []  # what is to be said of those that nothing bears out

    @property
    def reached(self) -> Since | None:
        """Up to where it was walked through; None where a root cannot be given."""
        frontier = self._walk.frontier
        return None if frontier is None else Since(self._generation, frontier.size, frontier.root)

    async def run(
        self,
        guard: Database,
        held: Iterable[str],
        progress: Progress | None,
        since: Since | None = None,
    ) -> tuple[int, Level]:
        """Check it; how many entries it has, and the level that holders outside lift it to."""
        self._claims = hold(self._verifier, held, self._findings)
        async with self._data.read() as connection:
            stored = await published.newest(connection, self._first, self._generation)
        newest = 0 if stored is None else stored.checkpoint.size
        await self._read_guard(guard, newest)  # afterwards: it may only be ahead of it
        state = await self._state()
        end = state.end if state.size is None else min(state.size, state.end)
        self._check_ends(state, newest)
        await self._check_beyond(end)
        await self._go_on(self._verified(since, end))
        for start in range(self.begun_at, end, _CHUNK):
            await self._chunk(start, min(start + _CHUNK, end))
            if progress is not None:
                progress(min(start + _CHUNK, end), end)
        self._walk.finish()
        self._check_state(state)
        self.unproved = beyond(self._claims, end, self._gap, self._findings)
        return end, level_of(self._claims, end)

    def _verified(self, since: Since | None, end: int) -> Since | None:
        """Up to where it was verified before: a log that was closed, as a whole."""
        if since is None or since.generation < self._generation:
            return None
        if since.generation == self._generation:
            return since if since.size <= end else None
        fits = self._gap is not None and self._gap.size == end
        return Since(self._generation, end, self._gap.root) if self._gap and fits else None

    async def _go_on(self, since: Since | None) -> None:
        """Begin behind what was verified before, where nothing shows that it is other by now."""
        if since is None or not await behind.unaltered(self._data, self._macs, self._base, since):
            return
        async with self._data.read() as connection:
            for size in sorted(one for one in self._claims if one <= since.size):
                root = (await nodes.frontier_at(connection, size, self._base)).root
                compare(size, root, self._claims[size], self._findings)
            frontier = await nodes.frontier_at(connection, since.size, self._base)
            last = await reading.entries(connection, self._base, since.size - 1, since.size)
        self._walk = Walk(self._findings, self._macs, self._base, frontier)
        self.begun_at = since.size
        for row in last:
            self._walk.follow(row.entry)

    async def _state(self) -> State:
        """What it says of itself; of a log that was closed its successor says it."""
        if not self._closed:
            return await reading.state(self._data, self._name, self._generation)
        end, nodes = await reading.extent(self._data, self._generation)
        if self._gap is None:
            self._findings.add(Problem.STATE, None, "nothing tells where it was closed")
            return State(None, None, end, nodes)
        return State(self._gap.size, None, end, nodes)

    async def _read_guard(self, guard: Database, newest: int) -> None:
        query = select(audit_guard.c.size, audit_guard.c.note)
        query = query.where(audit_guard.c.log == self._name, sound(audit_guard))
        async with guard.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            if not self._closed:  # its successor has the note, if there was one
                self._findings.add(Problem.GUARD, None, "there is no guard")
            return
        claim = signed(self._verifier, row.note, "guard", row.size, self._findings)
        if claim is not None:
            self._claims.setdefault(row.size, []).append(claim)
            if newest > row.size and not self._closed:
                text = f"the guard stands at {row.size}, a checkpoint at {newest}"
                self._findings.add(Problem.GUARD, None, text)

    async def _check_beyond(self, end: int) -> None:
        """Look at checkpoints of sizes that were not there yet: ours have come since."""
        async with self._data.read() as connection:
            await self._read_claims(connection, end, 2**53)

    def _check_ends(self, state: State, newest: int) -> None:
        """Compare where the log ends with where everybody says that it ends."""
        if state.size is None and not self._closed:
            self._findings.add(Problem.STATE, None, "the log has no state")
        size = state.end if state.size is None else state.size
        if size > state.end:
            text = f"{size} entries are counted, {state.end} are there"
            self._findings.cut_off(state.end, text)
        elif size < state.end and not self._left_behind:
            self._findings.add(Problem.EXTRA, size, f"only {size} entries are counted")
        largest = max([newest, *self._claims])
        if largest > max(size, 0 if self._gap is None else self._gap.end):
            text = (
                f"a checkpoint of size {largest} was published, the log has {size} entries; {_BACK}"
            )
            self._findings.cut_off(min(size, state.end), text)

    @property
    def _left_behind(self) -> bool:
        """Whether entries may stand behind its end: what is damaged is kept where it is."""
        return self._gap is not None and self._gap.cause is Cause.DAMAGED

    async def _chunk(self, start: int, end: int) -> None:
        async with self._data.read() as connection:
            rows = await reading.entries(connection, self._base, start, end)
            stored = await reading.nodes(connection, self._base, start, end)
            claims = await self._read_claims(connection, start, end)
        commitments, nodes = self._walk.take(rows, end, claims)
        self._compare_nodes(nodes, stored)
        await self._openings.check(commitments, self._findings)

    async def _read_claims(
        self, connection: AsyncConnection, start: int, end: int
    ) -> dict[int, list[Claim]]:
        # None is published of nothing; a row that says so is looked at with the first.
        first = start + 1 if start else 0
        # A size has one, unless somebody dropped the key.
        found = await reading.checkpoints(connection, self._base, first, end, _CHUNK + 1)
        claims = {size: [*self._claims[size]] for size in self._claims if start < size <= end}
        for size, note in found:
            claim = signed(self._verifier, note, "stored", size, self._findings)
            if claim is not None:
                claims.setdefault(size, []).append(claim)
        return claims

    def _compare_nodes(
        self, nodes: Sequence[Node], stored: Mapping[tuple[int, int], bytes]
    ) -> None:
        for level, position, raw in nodes:
            if stored.get((level, position)) != raw:
                text = f"the stored node at level {level}, position {position} is wrong"
                self._findings.add(Problem.NODE, None, text)

    def _check_state(self, state: State) -> None:
        frontier = self._walk.frontier
        if frontier is None or state.size != frontier.size:
            return  # a finding already
        if self._gap is not None and frontier.root != self._gap.root:
            text = "the entries do not give the root that its successor tells of"
            self._findings.add(Problem.STATE, None, text)
        elif self._gap is None and frontier.packed != state.frontier:
            self._findings.add(Problem.STATE, None, "the entries do not give the frontier")
        if state.nodes != sum(state.size >> level for level in NODE_LEVELS):
            self._findings.add(Problem.NODE, None, "there are more or fewer stored nodes than due")


async def _check_readable(database: Database, tables: Sequence[Table], findings: Findings) -> None:
    """Name the rows that everybody else passes over: they hold what no gateway writes."""
    async with database.read() as connection:
        for table in tables:
            for flaw, *key in (await connection.execute(unsound(table, _MALFORMED))).all():
                _malformed(table, ", ".join(str(one) for one in key), flaw, findings)


def _malformed(table: Table, key: str, flaw: str, findings: Findings) -> None:
    text = f"{table.name} {key}: its {flaw} is nothing that a gateway writes"
    index = succession.index_of(int(key)) if table is audit_entry and key.isdecimal() else None
    findings.add(Problem.MALFORMED, index, text)


async def _check_duplicates(data: Database, findings: Findings) -> None:
    # A unique index forbids it; whoever writes rows can drop an index.
    query = select(func.max(audit_entry.c.leaf_index)).group_by(audit_entry.c.eid)
    query = query.where(sound(audit_entry)).having(func.count() > 1).limit(100)
    async with data.read() as connection:
        for place in (await connection.execute(query)).scalars():
            index = succession.index_of(place)
            findings.add(Problem.DUPLICATE, index, "an event that was there before")
