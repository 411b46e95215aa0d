"""Deleting what the data keeps of people: the last step of an erasure, and requests alone."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage import parking


async def forget_requests(connection: AsyncConnection, consents: Collection[str]) -> None:
    """Delete these consents, and the links of mails that asked for nothing else."""
    named, link = tables.confirmation_consent, tables.confirmation
    query = select(named.c.token_hash).where(named.c.consent.in_(consents))
    # Before what follows: then nothing says any more which links asked for these.
    tokens = set((await connection.execute(query)).scalars())
    await connection.execute(delete(named).where(named.c.consent.in_(consents)))
    asks_more = exists().where(named.c.token_hash == link.c.token_hash)
    await connection.execute(delete(link).where(link.c.token_hash.in_(tokens), ~asks_more))
    await parking.forget(connection, tables.consent.c.id, tables.consent.c.id.in_(consents))
    await connection.execute(delete(tables.consent).where(tables.consent.c.id.in_(consents)))


async def remove(connection: AsyncConnection, subjects: Collection[str]) -> None:
    """Delete everything about people whose gates are held; the gate goes last.

    Only once their keys are destroyed and their audit payloads deleted.
    """
    link, named = tables.confirmation, tables.confirmation_consent
    tokens = select(link.c.token_hash).where(link.c.subject.in_(subjects))
    await connection.execute(delete(named).where(named.c.token_hash.in_(tokens)))
    # What names another row goes before it: the schema forbids the other order.
    await parking.forget(connection, tables.consent.c.id, tables.consent.c.subject.in_(subjects))
    await parking.release(connection, tables.subject.name, subjects)
    theirs = (
        tables.subject_index,
        link,
        tables.fresh_link,
        tables.session,
        tables.handle,
        tables.consent,
    )
    for table in theirs:
        await connection.execute(delete(table).where(table.c.subject.in_(subjects)))
    await connection.execute(delete(tables.subject).where(tables.subject.c.id.in_(subjects)))
