"""Campaigns of a restored backup: nobody knows how far they went, so none goes on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from delivery import campaigns
from delivery.campaigns import Campaign, State
from delivery.restored import RESTORED
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 500
_KINDS = {State.PAUSED: Kind.CAMPAIGN_PAUSED, State.CANCELLED: Kind.CAMPAIGN_CANCELLED}


async def end_all(data: Database, clock: Clock, keys: RowKeys, log: Log) -> None:
    """Cancel what had begun, or would have by now; what is to come waits for an operator.

    What it was to send to those behind may have been sent since: sent again, they would get it
    twice. A run that was killed is repeated.
    """
    after: str | None = None
    while True:
        async with data.read() as connection:
            names = await campaigns.under_way(connection, after, _AT_ONCE)
        if not names:
            return
        after = names[-1]
        async with data.begin() as connection:
            for name in names:
                await _end(connection, clock, keys, log, name)


async def _end(
    connection: AsyncConnection, clock: Clock, keys: RowKeys, log: Log, name: str
) -> None:
    campaign = await campaigns.lock_to_steer(connection, keys, name)
    now = await clock.now(connection)
    state = None if campaign is None else _next(campaign, now)
    if campaign is None or state is None:
        return
    refs = {"campaign": name, "reason": RESTORED}
    event = Event(_KINDS[state], Actor.OPERATOR, now, refs=refs)
    await campaigns.write(connection, keys, replace(campaign, state=state, eid=event.eid))
    await log.stage(connection, [draft(event, None, log.node)])


def _next(campaign: Campaign, now: datetime) -> State | None:
    """The state that it gets; None where it has it."""
    is_to_come = campaign.starts_at > now and not campaign.made
    wanted = State.PAUSED if is_to_come else State.CANCELLED
    ended = campaign.state in (wanted, State.CANCELLED)
    return None if ended else wanted
