"""Deleting what the data keeps of people: the last step of an erasure, and consents alone."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.external_id_tables import external_id
from consent.model import State
from storage import bad_rows
from storage.types import among

# What names another row goes before it: the schema forbids the other order.
_THEIRS = (
    tables.subject_index,
    tables.confirmation,
    tables.fresh_link,
    tables.address_link,
    tables.session,
    tables.service_mail,
    tables.handle,
    tables.hold,
    tables.pace,
    external_id,
    tables.consent,
)


async def forget_consents(connection: AsyncConnection, consents: Collection[str]) -> None:
    """Delete these consents, and the links of mails that asked for nothing else."""
    named, link = tables.confirmation_consent, tables.confirmation
    query = select(named.c.token_hash).where(named.c.consent.in_(consents))
    # Before what follows: then nothing says any more which links asked for these.
    tokens = set((await connection.execute(query)).scalars())
    await connection.execute(delete(named).where(named.c.consent.in_(consents)))
    asks_more = exists().where(named.c.token_hash == link.c.token_hash)
    await connection.execute(delete(link).where(link.c.token_hash.in_(tokens), ~asks_more))
    await connection.execute(delete(external_id).where(external_id.c.consent.in_(consents)))
    await bad_rows.forget(connection, tables.consent.c.id, tables.consent.c.id.in_(consents))
    await connection.execute(delete(tables.consent).where(tables.consent.c.id.in_(consents)))


async def dismiss(connection: AsyncConnection, admitted: Collection[str]) -> None:
    """Let people go whom this transaction admitted, and of whom nothing else was written."""
    if not admitted:
        return
    index, subject = tables.subject_index, tables.subject
    await connection.execute(delete(index).where(among(index.c.subject, admitted)))
    await connection.execute(delete(subject).where(among(subject.c.id, admitted)))


async def orphans(connection: AsyncConnection, limit: int) -> list[str]:
    """Rows whose person or link is gone, and what is gone, by table and key.

    Foreign keys forbid them; whoever owns the tables can do without.
    """
    tie = tables.confirmation_consent
    names = [(table.c.subject, tables.subject.c.id) for table in _THEIRS]
    names += [(tie.c.token_hash, tables.confirmation.c.token_hash)]
    names += [(tie.c.consent, tables.consent.c.id)]
    found: set[str] = set()
    for column, named in names:
        keys = column.table.primary_key.columns
        query = select(column, *keys).where(~exists().where(named == column)).limit(limit)
        for missing, *key in (await connection.execute(query)).all():
            found.add(f"{column.table.name} {'/'.join(map(_shown, key))}")
            found.add(f"{named.table.name} {_shown(missing)}")
    return sorted(found)


def _shown(key: object) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)


async def keep_evidence(connection: AsyncConnection, subjects: Collection[str]) -> None:
    """Delete everything about people whose gates are held but what proves their consents.

    What was decided stays with the gate that it hangs on; every link, session and
    request goes, and with the handles all that old mails could still open.
    """
    link, named, request = tables.confirmation, tables.confirmation_consent, tables.consent
    tokens = select(link.c.token_hash).where(link.c.subject.in_(subjects))
    await connection.execute(delete(named).where(named.c.token_hash.in_(tokens)))
    for table in _THEIRS:
        if table is not request:
            await connection.execute(delete(table).where(table.c.subject.in_(subjects)))
    undecided = [state for state in State if not state.decided]
    gone = and_(request.c.subject.in_(subjects), request.c.state.in_(undecided))
    await bad_rows.forget(connection, request.c.id, gone)
    await connection.execute(delete(request).where(gone))
    await bad_rows.release(connection, tables.subject.name, subjects)


async def remove(connection: AsyncConnection, subjects: Collection[str]) -> None:
    """Delete everything about people whose gates are held; the gate goes last.

    Only once their keys are destroyed and their audit payloads deleted.
    """
    link, named = tables.confirmation, tables.confirmation_consent
    tokens = select(link.c.token_hash).where(link.c.subject.in_(subjects))
    await connection.execute(delete(named).where(named.c.token_hash.in_(tokens)))
    await bad_rows.forget(connection, tables.consent.c.id, tables.consent.c.subject.in_(subjects))
    await bad_rows.release(connection, tables.subject.name, subjects)
    for table in _THEIRS:
        await connection.execute(delete(table).where(table.c.subject.in_(subjects)))
    await connection.execute(delete(tables.subject).where(tables.subject.c.id.in_(subjects)))


async def forget_profiles(connection: AsyncConnection, subjects: Collection[str]) -> None:
    """Let go of what is known of these people, gates held, beside the address: no consent stands.

    It was given for mails that nothing permits any more.
    """
    consent, subject = tables.consent, tables.subject
    stands = exists().where(consent.c.subject == subject.c.id, consent.c.state == State.CONFIRMED)
    statement = update(subject).where(
        among(subject.c.id, subjects), subject.c.profile.is_not(None), ~stands
    )
    await connection.execute(statement.values(profile=None))
