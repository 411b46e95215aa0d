"""Consents whose time is over are written down as such; decisions never waited for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from audit.kinds import Actor, Kind
from consent import gates, policy
from consent.consents import Consent
from consent.model import State
from consent.trail import Trail
from gateway.parts import Parts

_AT_ONCE = 200


async def expire(parts: Parts) -> int:
    """Lapse requests that nobody answered in 72 hours, expire consents past their end."""
    async with parts.data.read() as connection:
        due = await parts.consents.due(connection, await parts.clock.now(connection), _AT_ONCE)
    if not due:
        return 0
    vault = await parts.keystore.vault({subject for _, subject in due})
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, {subject for _, subject in due})
        rows = await parts.consents.get(connection, [consent for consent, _ in due])
        now = await parts.clock.now(connection)
        trail = Trail(parts.log, vault, held)
        ended = [
            changed
            for one in rows.values()
            if vault.has(one.subject) and (changed := _ended(one, trail, now)) is not None
        ]
        await parts.consents.write(connection, ended)
        await trail.stage(connection)
    return len(ended)


def _ended(one: Consent, trail: Trail, now: datetime) -> Consent | None:
    """The consent at its end; None when it has none, or when the row is not what we wrote."""
    if not one.honest:
        return None
    if policy.lapse(one, now) is State.LAPSED:
        changed = replace(one, state=State.LAPSED)
        kind = Kind.CONSENT_LAPSED
    elif policy.expire(one, now) is State.EXPIRED:
        changed = replace(one, state=State.EXPIRED, decided_at=one.ends_at)
        kind = Kind.CONSENT_EXPIRED
    else:
        return None
    eid = trail.record(
        kind,
        one.subject,
        Actor.SYSTEM,
        now,
        evidence={"consent": one.id, "purpose": one.purpose, "why": "its time was over"},
        refs={"text": one.text_hash},
    )
    return replace(changed, eid=eid)
