"""Publishing: the step after which the past can no longer be told differently.

The guard remembers the last published checkpoint in a store of its own. A new
one is signed only when it provably continues that, and put into the guard
before anybody else sees it; so there are never two roots for one size, whoever
restores what, and however many nodes publish.
"""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import nodes, note, tree
from audit.errors import (
    GuardAhead,
    GuardBehind,
    GuardConflict,
    GuardMissing,
    LogMissing,
    NoteError,
)
from audit.log import Log, published
from audit.note import Checkpoint, Verifier
from audit.tables import audit_checkpoint, audit_guard
from audit.tree import Frontier
from storage.clock import Clock
from storage.database import Database
from storage.secret import Secret
from storage.types import upsert


class Publisher:
    """Signs what is committed, and keeps guard and log together."""

    def __init__(self, log: Log, signing_seed: Secret) -> None:
        self._log = log
        self._seed = signing_seed
        self.vkey = note.vkey(log.origin, signing_seed.reveal())
        self._verifier = Verifier(self.vkey)

    async def create_guard(self, guard: AsyncConnection, data: AsyncConnection) -> bool:
        """Make the guard of a log that has no entries; False where there is one already.

        For `gateway init` alone, before it opens the log. Beside entries a new
        guard would bless whatever they say: `GuardMissing`.
        """
        query = select(audit_guard.c.size).where(audit_guard.c.log == self._log.origin)
        if (await guard.execute(query)).one_or_none() is not None:
            return False
        try:
            size = await self._log.size(data)
        except LogMissing:
            size = 0
        if size:
            raise GuardMissing(size, None)
        empty = self._sign(Checkpoint(self._log.origin, 0, tree.EMPTY_ROOT))
        await guard.execute(insert(audit_guard).values(log=self._log.origin, size=0, note=empty))
        return True

    async def publish(self, data: Database, guard: Database, clock: Clock) -> Checkpoint | None:
        """Publish the log as it stands; None when there is nothing new, or another node did.

        A crash at any point is mended by the next call. Raises `GuardError`,
        and signs nothing, when log and guard do not belong together.
        """
        # In this order: each can only be ahead of the one read before it, so
        # another publisher at work is never taken for a restored backup.
        async with data.read() as connection:
            stored = await published(connection)
        held = await self._held(guard, data)
        checkpoint, frontier = await self._compare(data, held, stored)
        # A publisher may have died between guard and log.
        missing = [(checkpoint, held)] if checkpoint.size > stored else []
        if frontier.size == checkpoint.size:
            await _store(data, missing, clock)
            return checkpoint if missing else None
        grown = Checkpoint(self._log.origin, frontier.size, frontier.root)
        signed = self._sign(grown)
        if not await self._swap(guard, held, signed, grown.size):
            return None
        await _store(data, [*missing, (grown, signed)], clock)
        return grown

    async def _compare(self, data: Database, held: str, stored: int) -> tuple[Checkpoint, Frontier]:
        checkpoint = self._open(held)
        if stored > checkpoint.size:
            raise GuardBehind(stored, checkpoint.size)
        async with data.read() as connection:
            return checkpoint, await self._grown(connection, checkpoint)

    async def _held(self, guard: Database, data: Database) -> str:
        query = select(audit_guard.c.note).where(audit_guard.c.log == self._log.origin)
        async with guard.read() as connection:
            held: str | None = (await connection.execute(query)).scalar_one_or_none()
        if held is None:
            async with data.read() as connection:
                raise GuardMissing(await self._log.size(connection), None)
        return held

    def _open(self, held: str) -> Checkpoint:
        try:
            return self._verifier.checkpoint(held)
        except NoteError as error:
            raise GuardConflict(0, None) from error

    async def _grown(self, connection: AsyncConnection, held: Checkpoint) -> Frontier:
        """The frontier of a log that provably continues what the guard holds."""
        try:
            frontier = await self._log.frontier(connection)
        except LogMissing:
            if held.size:
                raise GuardAhead(0, held.size) from None
            raise
        if frontier.size < held.size:
            raise GuardAhead(frontier.size, held.size)
        if not await _continues(connection, held, frontier):
            raise GuardConflict(frontier.size, held.size)
        return frontier

    async def _swap(self, guard: Database, held: str, signed: str, size: int) -> bool:
        statement = update(audit_guard).where(
            audit_guard.c.log == self._log.origin, audit_guard.c.note == held
        )
        async with guard.begin() as connection:
            done = await connection.execute(statement.values(size=size, note=signed))
            return done.rowcount == 1

    def _sign(self, checkpoint: Checkpoint) -> str:
        return note.sign(checkpoint, self._seed.reveal())


async def _continues(connection: AsyncConnection, held: Checkpoint, frontier: Frontier) -> bool:
    """Prove it from stored hashes: the frontier alone could have been written by anybody."""
    if held.size == 0:
        return frontier.root == await nodes.root_at(connection, frontier.size)
    ranges = tree.consistency_ranges(held.size, frontier.size)
    path = await nodes.range_roots(connection, ranges)
    return tree.verify_consistency(held.size, frontier.size, held.root, frontier.root, path)


async def _store(data: Database, notes: list[tuple[Checkpoint, str]], clock: Clock) -> None:
    """Store published notes. Another node may have: the guard lets only one be for a size."""
    if not notes:
        return
    async with data.begin() as connection:
        now = await clock.now(connection)
        rows = [{"size": one.size, "note": text, "published_at": now} for one, text in notes]
        statement = upsert(connection, audit_checkpoint).values(rows)
        await connection.execute(statement.on_conflict_do_nothing())
