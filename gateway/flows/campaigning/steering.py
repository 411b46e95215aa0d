"""A campaign is paused, goes on, is cancelled, or sends again what may not have arrived.

Who steers holds its row so that nobody puts a message of it back meanwhile, lets what waits
stand still, and answers once no permit is open under which a transmission of it could start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from delivery import campaign_mails, campaigns
from delivery.campaigns import Campaign, State
from delivery.permit_wait import PermitWait
from gateway.flows.campaigning.expansion import let_go_on
from gateway.flows.campaigning.launch import Stores
from gateway.flows.sending.standing_still import outdated

_AT_ONCE = 500


class Refusal(StrEnum):
    """Why a campaign is not steered."""

    UNKNOWN = "unknown"  # no gateway wrote such a row
    OLD = "old"  # its row was put back: nobody makes what it says their doing
    STANDS_OTHERWISE = "stands_otherwise"  # it is over, or stands so that this cannot be done


@dataclass(frozen=True, slots=True)
class By:
    """Who steers: an operator, or whoever has an API key."""

    actor: Actor
    api_key: str | None = None

    def refs(self, campaign: str) -> dict[str, str]:
        return {"campaign": campaign} | ({} if self.api_key is None else {"api_key": self.api_key})


# How it stands next; itself where nothing changes, None where it stands otherwise.
_Next = Callable[[Campaign, datetime], Campaign | None]


class Steering:
    """What can be done with a campaign once it was asked for; everything may be repeated."""

    def __init__(self, stores: Stores, permit_wait: PermitWait) -> None:
        self._stores = stores
        self._permit_wait = permit_wait

    async def pause(self, name: str, by: By) -> Campaign | Refusal:
        """Let nothing of it start any more until it is resumed."""

        def paused(campaign: Campaign, _: datetime) -> Campaign | None:
            goes_on = campaign.state in campaigns.GOES_ON
            if not goes_on:
                return campaign if campaign.state is State.PAUSED else None
            return replace(campaign, state=State.PAUSED)

        return await self._steer(name, Kind.CAMPAIGN_PAUSED, by, paused)

    async def resume(self, name: str, by: By) -> Campaign | Refusal:
        """Let it go on where it stood; its messages follow within seconds."""

        def resumed(campaign: Campaign, now: datetime) -> Campaign | None:
            if campaign.state is not State.PAUSED:
                return campaign if campaign.state in campaigns.GOES_ON else None
            next_at = max(campaign.starts_at, now)
            return replace(campaign, state=campaign.going_on, next_due_at=next_at)

        return await self._steer(name, Kind.CAMPAIGN_RESUMED, by, resumed)

    async def cancel(self, name: str, by: By) -> Campaign | Refusal:
        """Let nothing of it start any more, for good."""

        def cancelled(campaign: Campaign, _: datetime) -> Campaign | None:
            if campaign.state is State.DONE:
                return None
            return replace(campaign, state=State.CANCELLED)

        return await self._steer(name, Kind.CAMPAIGN_CANCELLED, by, cancelled)

    async def _steer(self, name: str, kind: Kind, by: By, step: _Next) -> Campaign | Refusal:
        stores = self._stores
        async with stores.data.begin() as connection:
            campaign = await self._hold(connection, name)
            if isinstance(campaign, Refusal):
                return campaign
            now = await stores.clock.now(connection)
            changed = step(campaign, now)
            if changed is None:
                return Refusal.STANDS_OTHERWISE
            if changed.state is not campaign.state:
                event = Event(kind, by.actor, now, refs=by.refs(name))
                changed = replace(changed, eid=event.eid)
                await campaigns.write(connection, stores.rows, changed)
                if changed.state not in campaigns.GOES_ON:
                    await campaign_mails.halt(connection, name)
                await stores.log.stage(connection, [draft(event, None, stores.log.node)])
            open_ = await campaign_mails.permits_open(connection, name, now)
        if changed.state not in campaigns.GOES_ON:
            # Whoever asks a second time waits the same way.
            await self._permit_wait.until_over(open_)
        return changed

    async def _hold(self, connection: AsyncConnection, name: str) -> Campaign | Refusal:
        """Its row, locked."""
        stores = self._stores
        held = await campaigns.lock_to_steer(connection, stores.rows, name)
        if held is None:
            return Refusal.UNKNOWN
        return Refusal.OLD if await outdated(connection, stores.log.macs, [held]) else held

    async def resend(self, name: str, by: By) -> int | Refusal:
        """Send again what may have been sent, and may not; how many. They keep their Message-IDs.

        Some may come twice: whoever asks answers for that.
        """
        stores = self._stores
        async with stores.data.begin() as connection:
            campaign = await self._hold(connection, name)
            if isinstance(campaign, Refusal):
                return campaign
            if campaign.state not in (State.EXPANDING, State.SENDING, State.DONE):
                return Refusal.STANDS_OTHERWISE
            if not await campaign_mails.lock_uncertain(connection, stores.rows, name, 1):
                return 0
            now = await stores.clock.now(connection)
            event = Event(Kind.CAMPAIGN_RESENT, by.actor, now, refs=by.refs(name))
            again = replace(campaign, state=campaign.going_on, ended_at=None, eid=event.eid)
            await campaigns.write(connection, stores.rows, again)
            await stores.log.stage(connection, [draft(event, None, stores.log.node)])
        return await self._resend_each(name)

    async def _resend_each(self, name: str) -> int:
        stores, done = self._stores, 0
        async with stores.data.read() as connection:
            left = await campaign_mails.count_uncertain(connection, name)
        while left > 0:
            async with stores.data.begin() as connection:
                campaign = await self._hold(connection, name)
                if isinstance(campaign, Refusal) or campaign.state not in campaigns.GOES_ON:
                    return done
                some = await campaign_mails.lock_uncertain(
                    connection, stores.rows, name, min(left, _AT_ONCE)
                )
                if not some:
                    return done
                await let_go_on(
                    connection, stores, campaign, some, await stores.clock.now(connection)
                )
            done, left = done + len(some), left - len(some)
        return done
