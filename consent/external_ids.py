"""What callers call a person in their own systems, given with a sign-up through the API.

They are sealed under the person's key, each with the request that they came with, and wait
for its answer as form answers do: whoever signs somebody else up does not change what
that person is called. With the confirmation they are settled, for that purpose alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import and_, delete, exists, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Opener, Sealer
from consent.consents import Consent
from consent.errors import KeyUnusable, SealError
from consent.external_id_tables import external_id
from consent.feed import KEPT
from consent.keys.vault import Compartment, Vault
from consent.model import State
from consent.tables import consent
from storage import paging
from storage.locks import delete_free
from storage.sound import sound
from storage.types import among

log = structlog.get_logger()

Ids = Mapping[str, str]  # by the name of the system


class Standing(StrEnum):
    """Whether its request was confirmed."""

    WAITING = "waiting"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Row:
    """What came with one request, sealed."""

    consent: str
    subject: str
    purpose: str
    state: Standing
    sealed: bytes = field(repr=False)


def waiting(request: Consent, ids: Ids, sealer: Sealer) -> Row:
    """What waits with a request."""
    return _sealed(request, ids, Standing.WAITING, sealer)


async def add(connection: AsyncConnection, rows: Iterable[Row]) -> None:
    """Keep them, in the transaction that stores their requests or confirms them."""
    values = [
        {
            "consent": row.consent,
            "subject": row.subject,
            "purpose": row.purpose,
            "state": row.state,
            "sealed": row.sealed,
        }
        for row in rows
    ]
    if values:
        await connection.execute(insert(external_id), values)


async def settle(
    connection: AsyncConnection, confirmed: Sequence[Consent], vault: Vault, *, contested: bool
) -> None:
    """What came with these requests is their person's own now, whose gate is held.

    Beside what was settled before for the same purpose, and in its place where the names are the
    same. What may be somebody else's word counts for nothing.
    """
    for one in confirmed:
        theirs = and_(external_id.c.subject == one.subject, external_id.c.purpose == one.purpose)
        ours = or_(external_id.c.state == Standing.SETTLED, external_id.c.consent == one.id)
        query = select(external_id).where(theirs, ours, sound(external_id))
        rows = [
            _row(row) for row in await connection.execute(query.order_by(external_id.c.consent))
        ]
        if not rows:
            continue
        before = [row for row in rows if row.state is Standing.SETTLED]
        own = [row for row in rows if row.state is Standing.WAITING and not contested]
        ids: dict[str, str] = {}
        for row in (*before, *own):
            ids |= opened(row, vault)
        await connection.execute(delete(external_id).where(theirs, ours))
        if ids:
            await add(connection, [_sealed(one, ids, Standing.SETTLED, vault)])


async def of(connection: AsyncConnection, subjects: Collection[str]) -> list[Row]:
    """What is kept of these people, in the order of requests."""
    query = select(external_id).where(among(external_id.c.subject, subjects), sound(external_id))
    return [_row(row) for row in await connection.execute(query.order_by(external_id.c.consent))]


def opened(row: Row, opener: Opener) -> Ids:
    """What a row says; nothing where its key is gone, or no gateway wrote it so."""
    place = _place(row.consent, row.purpose, row.state)
    try:
        raw = opener.open(row.subject, Compartment.PROFILE, place, row.sealed)
    except (SealError, KeyUnusable):
        log.error("external_ids_not_opened")
        return {}
    # Read as it is: what opens under the person's key is what we sealed there.
    return {} if raw is None else dict(json.loads(raw))


async def next_page(connection: AsyncConnection, after: str | None, limit: int) -> list[str]:
    """The next rows by their requests, for whoever goes through them all."""
    query = paging.by_name(select(external_id.c.consent), external_id.c.consent, after, limit)
    return list((await connection.execute(query)).scalars())


async def purge(connection: AsyncConnection, requests: Collection[str], now: datetime) -> int:
    """Of these, let go of what waits for no answer any more, or ended more than a month ago.

    So long others hear that it ended, by their own names for the person.
    """
    request = consent.c.id == external_id.c.consent
    decided = or_(consent.c.state == State.CONFIRMED, consent.c.decided_at > now - KEPT)
    waits = and_(external_id.c.state == Standing.WAITING, consent.c.state == State.PENDING)
    stands = and_(external_id.c.state == Standing.SETTLED, decided)
    needed = exists().where(request, or_(waits, stands))
    these = among(external_id.c.consent, requests)
    return await delete_free(connection, external_id, and_(these, ~needed))


def _sealed(of: Consent, ids: Ids, state: Standing, sealer: Sealer) -> Row:
    raw = json.dumps(dict(ids), ensure_ascii=False).encode()
    place = _place(of.id, of.purpose, state)
    sealed = sealer.seal(of.subject, Compartment.PROFILE, place, raw)
    return Row(of.id, of.subject, of.purpose, state, sealed)


def _place(consent_id: str, purpose: str, state: Standing) -> tuple[str, str, str]:
    # The purpose too: a key that is bound to another one must not hear what they are called here.
    return ("external_id", state, f"{consent_id}/{purpose}")


def _row(row: Any) -> Row:
    settled = row.state == Standing.SETTLED
    state = Standing.SETTLED if settled else Standing.WAITING
    return Row(row.consent, row.subject, row.purpose, state, row.sealed)
