"""What the permits on each kind of ground count for: delivery knows terms, and no grounds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from audit.entry import Item
from consent.model import Granted, GroundKind
from delivery.outbox import Message
from delivery.permits import Permit, Terms
from storage.ids import ordered_id


def terms(kind: GroundKind) -> Terms:
    """The terms under which a permit on such a ground is granted."""
    match kind:
        case GroundKind.CONSENT:
            return Terms(counts=True, for_all=False, keeps_use=True)
        case GroundKind.CONFIRMATION:
            # One mail asks for several purposes, and its permit names one (docs/adr/0006).
            return Terms(counts=False, for_all=True, keeps_use=False)
        case GroundKind.SERVICE:
            return Terms(counts=False, for_all=False, keeps_use=False)
        case _:
            assert_never(kind)


def permit(
    message: Message, granted: Granted, eid: bytes, owner: str, now: datetime, ttl: timedelta
) -> Permit:
    """The permit for the next attempt of *message*, on the ground that was *granted*."""
    return Permit(
        id=ordered_id("per", now),
        message=message.id,
        attempt=message.attempt + 1,
        owner=owner,
        subject=message.subject,
        purpose=message.purpose,
        ground_kind=granted.ground.kind,
        ground_id=granted.ground.id,
        terms=terms(granted.ground.kind),
        decided_at=now,
        expires_at=now + ttl,
        eid=eid,
    )


def item(message: Message, permit: Permit) -> Item:
    """What the log says of the permit of *message*."""
    facts = {
        "message": message.id,
        "attempt": permit.attempt,
        "purpose": message.purpose,
        "reason": None,
        "ground": {"kind": permit.ground_kind, "id": permit.ground_id},
    }
    return Item(message.subject, facts)


_TERMS = {str(kind): terms(kind) for kind in GroundKind}


def fit(permit: Permit) -> bool:
    """Whether the terms of a permit are those of its ground, as far as we know that kind."""
    return _TERMS.get(permit.ground_kind, permit.terms) == permit.terms
