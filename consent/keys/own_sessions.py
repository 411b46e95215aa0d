"""Which session each personal link opened, and which stand: where who writes the data has no hand.

A row of the data can be put back, of a link before it was spent, or of a session before it was
ended, and what the log tells of it be deleted. So both are asked for here as well. The desk's
are here too, of an operator in the place of a subject; a revoked one has a row named by
themselves, until their key goes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from storage.database import Database
from storage.locks import delete_free
from storage.types import among, upsert

table = tables.own_session

_LONGEST = timedelta(days=2)  # no session lasts, nor link opens, as long, though clocks differ


class OwnSessions:
    """Opens and ends sessions by the hash that the data knows them by."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, link: str) -> bool:
        """Whether a link opened a session before."""
        async with self._database.read() as connection:
            query = select(table.c.link).where(table.c.link == link)
            return (await connection.execute(query)).first() is not None

    async def open(self, link: str, subject: str, id_hash: bytes, expires_at: datetime) -> bool:
        """Let a session stand that is in the data; False where its link opened another one.

        Of two that come at once one does.
        """
        row = {"link": link, "subject": subject, "id_hash": id_hash, "expires_at": expires_at}
        async with self._database.begin() as connection:
            statement = upsert(connection, table).values(row).on_conflict_do_nothing()
            return (await connection.execute(statement)).rowcount == 1

    async def stands(self, id_hash: bytes) -> bool:
        """Whether a session was opened and not ended; whether it is over the data says."""
        async with self._database.read() as connection:
            query = select(table.c.link).where(table.c.id_hash == id_hash)
            return (await connection.execute(query)).first() is not None

    async def end(self, id_hashes: Collection[bytes]) -> None:
        """End sessions; their links stay spent. Repeating is harmless."""
        ended = update(table).where(table.c.id_hash.in_(id_hashes)).values(id_hash=None)
        async with self._database.begin() as connection:
            await connection.execute(ended)

    async def end_of(self, subject: str) -> None:
        """End every session of somebody, once the data has ended them."""
        ended = update(table).where(table.c.subject == subject).values(id_hash=None)
        async with self._database.begin() as connection:
            await connection.execute(ended)

    async def revoke(self, operator: str, now: datetime) -> None:
        """Let nothing of an operator open anything from now on, whatever rows say."""
        row = {"link": operator, "subject": operator, "id_hash": None, "expires_at": now}
        async with self._database.begin() as connection:
            statement = upsert(connection, table).values(row).on_conflict_do_nothing()
            await connection.execute(statement)
            ended = update(table).where(table.c.subject == operator).values(id_hash=None)
            await connection.execute(ended)

    async def revoked(self, operators: Collection[str]) -> set[str]:
        """Those of them who were."""
        query = select(table.c.link).where(among(table.c.link, operators))
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def forget(self, connection: AsyncConnection, subjects: Collection[str]) -> None:
        """Delete what is of people whose keys are destroyed: no link of theirs opens anything."""
        await connection.execute(delete(table).where(among(table.c.subject, subjects)))

    async def sweep(self, now: datetime) -> None:
        """Delete what is over; also what a clock dated that ran ahead, which opens nothing."""
        over = or_(table.c.expires_at <= now, table.c.expires_at > now + _LONGEST)
        async with self._database.begin() as connection:
            await delete_free(connection, table, and_(over, table.c.link != table.c.subject))
