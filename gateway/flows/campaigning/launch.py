"""Somebody asks for a campaign: what it says and whom it is for are sealed, and the log is told.

Nothing is sent by that. `expansion.py` makes its messages, and the claim decides each.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.canonical import encode
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import audience, specimens
from consent.audience import Audience
from consent.consents import Consents
from consent.keys.keystore import KeyStore
from consent.specimens import Specimen
from delivery import campaigns
from delivery.blemishes import Blemish
from delivery.campaigns import Campaign, State
from delivery.outcome import Kind as MailKind
from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered
from gateway.flows.sending import content
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import ordered_id
from storage.secret import Secret

_COMMITMENT = "consentgw/campaign/v1"


@dataclass(frozen=True, slots=True)
class Stores:
    """What the flows of campaigns work on."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys
    consents: Consents


@dataclass(frozen=True, slots=True)
class Order:
    """A campaign as it was asked for, checked for shape."""

    purpose: str
    sender: str
    id_domain: str
    content: Mapping[str, Any] = field(repr=False)  # as `content.of_caller` takes it
    audience: Audience = field(default_factory=Audience, repr=False)
    reference: str | None = field(default=None, repr=False)
    starts_at: datetime | None = None  # none: now
    per_hour: int | None = None
    origin: str | None = None  # the API key; none: an operator
    kept: Specimen | None = field(default=None, repr=False)  # the template that it names
    blemishes: Sequence[Blemish] = ()  # what who asks is told beside


async def launch(stores: Stores, order: Order, name: Name | None = None) -> str | Clash:
    """Keep a campaign; answers its id. What was kept under this *name* before is answered again."""
    key_name, key = await stores.keystore.create_content_key(stores.clock.wall())
    said = content.write(content.of_caller(order.content, None))
    whom = audience.write(order.audience)
    async with stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        taken = await idempotency.take_one(connection, name, now)
        if isinstance(taken, Remembered):
            return taken.document.decode()  # the key that was made is swept
        if isinstance(taken, Clash):
            return taken
        new, content_id = ordered_id("cmp", now), ordered_id("cnt", now)
        place = content.place(content_id, MailKind.MARKETING, order.purpose)
        sealed = content.seal_shared(key, said, *place)
        event = _created(new, order, now, key, said, whom)
        row = _row(new, content_id, order, event, key, whom)
        await specimens.keep(connection, [] if order.kept is None else [order.kept], now)
        await campaigns.add_content(connection, content_id, key_name, sealed, now)
        await campaigns.add(connection, stores.rows, row)
        await idempotency.end(connection, taken, new)
        await stores.log.stage(connection, [draft(event, None, stores.log.node)])
    return new


def _row(
    new: str, content_id: str, order: Order, event: Event, key: Secret, whom: bytes
) -> Campaign:
    now, reference = event.at, order.reference
    starts_at = max(order.starts_at or now, now)
    return Campaign(
        id=new,
        purpose=order.purpose,
        sender=order.sender,
        id_domain=order.id_domain,
        origin=order.origin,
        content=content_id,
        audience=content.seal_shared(key, whom, *audience_place(new)),
        reference=None
        if reference is None
        else content.seal_shared(key, reference.encode(), *reference_place(new)),
        per_hour=order.per_hour,
        starts_at=starts_at,
        created_at=now,
        state=State.SCHEDULED,
        next_due_at=starts_at,
        eid=event.eid,
    )


def _created(new: str, order: Order, now: datetime, key: Secret, said: bytes, whom: bytes) -> Event:
    refs = {
        "campaign": new,
        "purpose": order.purpose,
        "sender": order.sender,
        "content": commitment(key, "content", said),
        "audience": commitment(key, "audience", whom),
    }
    refs |= {} if order.origin is None else {"api_key": order.origin}
    actor = Actor.OPERATOR if order.origin is None else Actor.API
    return Event(Kind.CAMPAIGN_CREATED, actor, now, refs=refs)


def audience_place(campaign: str) -> tuple[str, str, str]:
    """What the seal of an audience binds it to."""
    return ("campaign", "audience", campaign)


def reference_place(campaign: str) -> tuple[str, str, str]:
    """As `audience_place`, of what its caller calls it."""
    return ("campaign", "reference", campaign)


def commitment(key: Secret, what: str, raw: bytes) -> str:
    """What the log keeps of it for ever: once its key is gone, nobody can guess what it was."""
    bound = f"{_COMMITMENT}/{what}".encode() + b"\0" + raw
    return encode(hmac.digest(key.reveal(), bound, "sha256"))
