"""Publishing: the step after which the past can no longer be told differently.

The guard remembers the last published checkpoint in a store of its own. A new
one is signed only when it provably continues that, and put into the guard
before anybody else sees it; so there are never two roots for one size, whoever
restores what, and however many nodes publish.

What is signed is computed here from the bytes of entries whose MACs fit, not
taken from stored hashes: whoever writes rows, and has no key, gets nothing signed.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, nodes, published, succession, successor, tree
from audit.checkpoints import Checkpoint, Verifier
from audit.entry import parse
from audit.errors import (
    GuardAhead,
    GuardBehind,
    GuardConflict,
    GuardMissing,
    KeyUnknown,
    LogClosed,
    LogDamaged,
    LogForged,
    LogMissing,
    NoteError,
    SignerUnknown,
    SuccessorUnknown,
)
from audit.kinds import Kind
from audit.log import Log
from audit.rowmac import LOGGED
from audit.signers import Signers
from audit.tables import audit_entry, audit_guard
from audit.tree import Frontier, leaf_hash
from storage import straight
from storage.clock import Clock
from storage.database import Database
from storage.sound import sound
from storage.types import among, texts

_CHUNK = 1024  # entries read at once


async def held_size(guard: Database, origin: str) -> int | None:
    """How far the guard says that the log of *origin* came; None: it says nothing."""
    query = select(audit_guard.c.size).where(audit_guard.c.log == origin, sound(audit_guard))
    async with guard.read() as connection:
        size: int | None = (await connection.execute(query)).scalar()
    return size


async def has_published(guard: Database) -> bool:
    """Whether the guard saw entries of any log; that of a log that was just begun saw none."""
    async with guard.read() as connection:
        query = select(exists().where(audit_guard.c.size > 0))
        return bool((await connection.execute(query)).scalar_one())


async def held_notes(guard: Database) -> list[str]:
    """What the guard holds of every log, whoever signed it."""
    async with guard.read() as connection:
        query = select(audit_guard.c.note).where(sound(audit_guard))
        return [*(await connection.execute(query)).scalars()]


# Made once: each publisher asks them twice a second.
_PLACE = audit_entry.c.leaf_index
_ENTRIES = (
    select(*LOGGED)
    .where(bindparam("start") <= _PLACE, bindparam("end") > _PLACE, sound(audit_entry))
    .order_by(_PLACE)
)
_NOTES = select(audit_guard.c.log, audit_guard.c.note).where(
    among(audit_guard.c.log, texts("logs")), sound(audit_guard)
)
_SWAP = (
    update(audit_guard)
    .where(audit_guard.c.log == bindparam("of"), audit_guard.c.note == bindparam("held"))
    .values(size=bindparam("new"), note=bindparam("signed"))
    .returning(audit_guard.c.log)
)


class _Walked(NamedTuple):
    """The right edge over entries that this process has authenticated, behind a guard's tree."""

    held: Checkpoint
    size: int
    packed: bytes


class Publisher:
    """Signs what is committed and authentic, and keeps guard and log together."""

    def __init__(self, log: Log, signers: Signers) -> None:
        self.log = log
        self.signers = signers
        self._walked: _Walked | None = None
        self.held: str | None = None  # the guard's note, as of the last time that we published

    @property
    def verifier(self) -> Verifier:
        """Of the first log, which knows its successors."""
        return self.signers.verifier

    @property
    def vkey(self) -> str:
        """The newest of the log's keys, as C2SP writes it."""
        return self.verifier.vkey

    @property
    def _own(self) -> Verifier:
        return self.verifier.of(self.log.generation)

    async def learn(self, data: Database) -> None:
        """Learn from which entry on which key signs."""
        async with data.read() as connection:
            await self.signers.learn(connection, self.log)

    def sign_manifest(self, text: str, *, beside: str | None = None) -> str:
        """The note of an export's list of files, under a name that no log has.

        By the key that signed the checkpoint *beside* it, the export's newest: another node may
        have put the next key into use. Without it by the one that signs now.
        """
        if beside is None:
            seed = self.signers.seed(succession.base_of(self.log.generation + 1))
        else:
            number = succession.generation_named(self.log.first, beside.partition("\n")[0])
            seed = self.signers.seed_of(self.verifier.of(number or 1).signer(beside))
        return checkpoints.sign_text(text, f"{self.log.first}/export", seed.reveal())

    async def create_guard(self, guard: AsyncConnection, data: AsyncConnection) -> bool:
        """Make the guard of a log that has no entries; False where there is one already.

        For `gateway init` alone, before it opens the log. Beside entries a new
        guard would bless whatever they say: `GuardMissing`.
        """
        query = select(audit_guard.c.size).where(audit_guard.c.log == self.log.origin)
        if (await guard.execute(query)).first() is not None:
            return False
        try:
            size = await self.log.size(data)
        except LogMissing:
            size = 0
        if size:
            raise GuardMissing(size, None)
        empty = self._sign(Checkpoint(self.log.origin, 0, tree.EMPTY_ROOT))
        await guard.execute(insert(audit_guard).values(log=self.log.origin, size=0, note=empty))
        return True

    async def guard_copy(self, guard: AsyncConnection, note: str | None) -> None:
        """Give a copy of the log, which nobody serves, a guard that says what *note* says.

        None: that it is empty. Raises `NoteError` for a note that our key did not sign.
        The log that is served gets no other guard than by `create_guard`.
        """
        checkpoint = Checkpoint(self.log.origin, 0, tree.EMPTY_ROOT)
        checkpoint = checkpoint if note is None else self._own.checkpoint(note)
        row = {
            "log": self.log.origin,
            "size": checkpoint.size,
            "note": note or self._sign(checkpoint),
        }
        await guard.execute(insert(audit_guard).values(row))

    async def publish(
        self, data: Database, guard: Database, clock: Clock, *, sign: bool = True
    ) -> Checkpoint | None:
        """Publish the log as it stands; None when there is nothing new, or another node did.

        Where it is not to *sign*, log and guard are compared all the same.

        A crash at any point is mended by the next call. Raises `GuardError`,
        and signs nothing, when log and guard do not belong together, and
        `LogForged` where an entry behind the guard's was not written by a gateway.
        """
        # In this order: each can only be ahead of the one read before it, so
        # another publisher at work is never taken for a restored backup.
        async with data.read() as connection:
            newest = await published.newest(connection, self.verifier, self.log.generation)
        stored = 0 if newest is None else newest.checkpoint.size
        held = await self._held(guard, data)
        try:
            checkpoint = self._open(held)
        except KeyUnknown:
            await self.learn(data)  # another node may have put it into use meanwhile
            checkpoint = self._open(held)
        if stored > checkpoint.size:
            raise GuardBehind(stored, checkpoint.size)
        self.held = held
        grown = await self._grown(data, checkpoint)
        # A publisher may have died between guard and log.
        missing = [(checkpoint, held)] if checkpoint.size > stored else []
        if grown.size == checkpoint.size:
            await published.store(data, missing, clock, self.log.base)
            return checkpoint if missing else None
        if not sign:
            return None
        await self.learn(data)  # which key signs this size, of entries that it covers
        signed = self._sign(grown)
        if not await self._swap(guard, held, signed, grown.size):
            return None
        self.held = signed
        await published.store(data, [*missing, (grown, signed)], clock, self.log.base)
        return grown

    async def tells_of(self, data: Database, guard: Database, kind: Kind) -> bool:
        """Whether an event of *kind* is among all that was published, read from the first on.

        For whoever acts on what the log does not tell: of an entry that was
        deleted no other look at it says so. Raises as `publish` does, which goes before.
        """
        held = self._open(await self._held(guard, data))
        frontier, found = Frontier(), False
        while frontier.size < held.size:
            async with data.read() as connection:
                entries = await self._entries(connection, frontier.size, held.size)
            frontier.extend([leaf_hash(entry) for entry in entries])
            named = (entry for entry in entries if kind.encode() in entry)
            found = found or any(parse(entry).kind is kind for entry in named)
        if frontier.root != held.root:
            raise GuardConflict(held.size, held.size)
        return found

    async def _held(self, guard: Database, data: Database) -> str:
        next_one = succession.name_of(self.log.first, self.log.generation + 1)
        async with guard.read() as connection:
            asked = {"logs": [self.log.origin, next_one]}
            notes: dict[str, str] = dict(await straight.rows(connection, _NOTES, asked))
        if next_one in notes and not self._tells_of_next(notes[next_one]):
            del notes[next_one]  # somebody wrote it: it says nothing
        if self.log.origin not in notes or next_one in notes:
            async with data.read() as connection:
                keys = self.log.macs.keys
                if await successor.current(connection, keys, self.verifier) > self.log.generation:
                    raise LogClosed(0, None)
                try:
                    size = await self.log.size(connection)
                except LogMissing:
                    if next_one not in notes:
                        raise
                    size = 0
            # Where it tells of a successor that the data do not know, they are a restored backup,
            # or whoever closed our log was not done: nobody may go on with it.
            raise (SuccessorUnknown if next_one in notes else GuardMissing)(size, None)
        return notes[self.log.origin]

    def _tells_of_next(self, note: str) -> bool:
        try:
            self.verifier.of(self.log.generation + 1).checkpoint(note)
        except NoteError:
            return False
        return True

    def _open(self, held: str) -> Checkpoint:
        try:
            return self._own.checkpoint(held)
        except SignerUnknown as error:
            raise KeyUnknown(0, None) from error
        except NoteError as error:
            raise GuardConflict(0, None) from error

    async def _grown(self, data: Database, held: Checkpoint) -> Checkpoint:
        """The log as it stands: proved to continue what the guard holds, entry by entry."""
        async with data.read() as connection:
            told = await self._told(connection, held)
        if told.size == held.size:
            if told.root != held.root:
                raise GuardConflict(told.size, held.size)
            return held
        try:
            return await self._authenticated(data, held, told)
        except (GuardConflict, LogDamaged):
            if self._walked is None:
                raise
            self._walked = None  # of rows that a restored database may not have any more
            return await self._authenticated(data, held, told)

    async def _authenticated(self, data: Database, held: Checkpoint, told: Frontier) -> Checkpoint:
        walked = await self._walk(data, held, told.size)
        if walked.packed != told.packed:  # the state could have been written by anybody
            raise GuardConflict(told.size, held.size)
        return Checkpoint(self.log.origin, walked.size, walked.root)

    async def _told(self, connection: AsyncConnection, held: Checkpoint) -> Frontier:
        """The log's own account of itself."""
        try:
            told = await self.log.frontier(connection)
        except LogMissing:
            if held.size:
                raise GuardAhead(0, held.size) from None
            raise
        if told.size < held.size:
            raise GuardAhead(told.size, held.size)
        return told

    async def _walk(self, data: Database, held: Checkpoint, size: int) -> Frontier:
        """Grow the tree that the guard holds by the entries behind it, each of them authenticated.

        Every entry is read from the database, also those that this process has
        sequenced itself: what another transaction may have made of them since
        is what is served. How far it came is remembered, so what cannot be
        signed for a while is not read again at every try.
        """
        frontier = await self._start(data, held, size)
        while frontier.size < size:
            async with data.read() as connection:
                entries = await self._entries(connection, frontier.size, size)
                leaves = [leaf_hash(entry) for entry in entries]
                await nodes.confirm(connection, frontier.extend(leaves), self.log.base)
            self._walked = _Walked(held, frontier.size, frontier.packed)
        return frontier

    async def _start(self, data: Database, held: Checkpoint, size: int) -> Frontier:
        """Where to go on from: the guard's own tree, or what was walked from there before."""
        if (known := self._walked) is not None and held.size <= known.size <= size:
            frontier = Frontier(known.size, known.packed)
            if known.held == held or (known.size, frontier.root) == (held.size, held.root):
                return frontier
        async with data.read() as connection:
            frontier = await nodes.frontier_at(connection, held.size, self.log.base)
        if frontier.root != held.root:
            raise GuardConflict(size, held.size)
        return frontier

    async def _entries(self, connection: AsyncConnection, start: int, size: int) -> list[bytes]:
        """The next entries, as a gateway wrote them there."""
        base = self.log.base
        span = {"start": base + start, "end": base + min(start + _CHUNK, size)}
        rows = await straight.rows(connection, _ENTRIES, span)
        for expected, row in enumerate(rows, start):
            if row.leaf_index != base + expected or not self.log.macs.logged(row):
                raise LogForged(expected)
        if len(rows) < min(_CHUNK, size - start):
            raise LogForged(start + len(rows))
        return [row.entry for row in rows]

    async def _swap(self, guard: Database, held: str, signed: str, size: int) -> bool:
        new = {"of": self.log.origin, "held": held, "new": size, "signed": signed}
        async with guard.begin() as connection:
            return bool(await straight.rows(connection, _SWAP, new))

    def _sign(self, checkpoint: Checkpoint) -> str:
        seed = self.signers.seed(self.log.base + checkpoint.size)
        return checkpoints.sign(checkpoint, seed.reveal())
