"""Messages are made for everyone whom a campaign is for, some at a time, ahead of who sends them.

A duty, safe beside itself: who works on a campaign holds its row, and passes over one that
another process is at. Each step writes messages and how far it came in one transaction, so a
crash skips nobody and writes to nobody twice. Nobody's permission is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import audience, gates, personal, shares
from consent.audience import Audience, Cursor, Place
from consent.consents import Consent
from consent.errors import KeyUnusable, SealError, StoredError
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from delivery import campaign_mails, campaigns, changing, outbox, tally
from delivery.campaign_mails import Turn
from delivery.campaigns import Campaign, State
from delivery.changing import Change
from delivery.outbox import NewMessage, Status
from delivery.outcome import Kind as MailKind
from delivery.schedule import LIFE
from delivery.slots import is_time, slots
from gateway.flows.bad_rows import each_for_itself, put_aside
from gateway.flows.campaigning.beginning import Beginnings
from gateway.flows.campaigning.launch import Stores, audience_place
from gateway.flows.keeping.walk import Walk, stroll
from gateway.flows.sending import content, ends
from gateway.flows.sending.standing_still import outdated
from gateway.watch.stuck import Why
from storage.ids import ordered_id
from storage.turns import in_turns

log = structlog.get_logger()

MOST_AHEAD: Final = 20_000  # messages that wait or are under way, of all campaigns
_LEAST_AHEAD: Final = 5_000  # of each: some that are tried again later must not stop the others
CANCELLED: Final = "campaign_cancelled"  # the reason that a message ends with
_TABLE = "campaign"
_AT_ONCE = 500
# SQLite has one writer, and sign-ups wait for it.
_PAGES: Final = {"sqlite": 200, "postgresql": 1000}
# Of a sender, how many messages may wait at a moment, given how many otherwise may.
Ahead = Callable[[str, int, datetime], int]
_OPENED = 200  # people whose gates are held while their answers are opened


@dataclass(frozen=True, slots=True)
class _Seen:
    """The next of an audience as they were seen without a lock, and their keys where needed."""

    last: Cursor | None
    consents: int  # more than people, where somebody has several
    subjects: frozenset[str]
    whole: bool  # nobody comes behind
    vault: Vault


class Expansion:
    """Carries campaigns on: puts back, cancels, makes messages, and says when one is over."""

    def __init__(self, stores: Stores, ahead: Ahead = lambda _, most, __: most) -> None:
        self._stores = stores
        self._ahead = ahead
        self._beginnings = Beginnings(stores.data)
        self._walk: Walk[str] = Walk(_AT_ONCE)
        self._running = 1

    async def work_off(self) -> int:
        """One step of each campaign that has not ended; how much was done."""
        return await stroll(self._walk, self._page)

    async def _page(self) -> int:
        stores, walk = self._stores, self._walk
        async with stores.data.read() as connection:
            names = await campaigns.under_way(connection, walk.after, walk.limit)
        walk.move(names)
        self._running = max(len(names), 1)
        rows = {name: name for name in names}
        return sum(
            await each_for_itself(stores.data, stores.clock, _TABLE, rows, self._each_in_turn)
        )

    async def _each_in_turn(self, names: Sequence[str]) -> int:
        return sum([await self._step(name) for name in names])

    async def _step(self, name: str) -> int:
        stores = self._stores
        async with stores.data.read() as connection:
            now = await stores.clock.now(connection)
            campaign = await campaigns.get(connection, stores.rows, name)
            rows = [] if campaign is None else [campaign]
            old = await outdated(connection, stores.log.macs, rows)
        if campaign is None or old:
            await self._put_aside(name, Why.ALTERED)
            return 0
        if campaign.state is State.CANCELLED:
            return await self._cancel_some(name) or await self._end(name)
        if campaign.state is State.PAUSED:
            # Its messages end in the pause, too: what nobody resumes would be kept for ever.
            return 0 if campaign.expanded_at is None else await self._end(name)
        if campaign.starts_at > now:
            return 0
        did = await self._put_back(name)
        if not did and campaign.expanded_at is None:
            did = await self._make_some(campaign)
        return did or await self._end(name, is_whole=campaign.expanded_at is not None)

    async def _hold(self, connection: AsyncConnection, name: str) -> Campaign | None:
        """Its row, locked; None where another process is at it, or it is not as the log tells."""
        stores = self._stores
        held = await campaigns.lock_to_work(connection, stores.rows, name)
        rows = [] if held is None else [held]
        return None if await outdated(connection, stores.log.macs, rows) else held

    async def _put_aside(self, name: str, why: Why) -> None:
        stores = self._stores
        async with stores.data.begin() as connection:
            now = await stores.clock.now(connection)
            await put_aside(connection, _TABLE, {name: why}, now)

    async def _put_back(self, name: str) -> int:
        """What stood still in a pause that is over goes on."""
        stores = self._stores
        async with stores.data.read() as connection:
            # A campaign is looked at twice a second, for as long as any of its mails wait.
            if not await campaign_mails.any_paused(connection, name):
                return 0
        async with stores.data.begin() as connection:
            campaign = await self._hold(connection, name)
            if campaign is None or campaign.state not in campaigns.GOES_ON:
                return 0
            still = await campaign_mails.lock_paused(connection, stores.rows, name, _AT_ONCE)
            if still:
                now = await stores.clock.now(connection)
                await let_go_on(connection, stores, campaign, still, now)
        return len(still)

    async def _cancel_some(self, name: str) -> int:
        stores = self._stores
        async with stores.data.read() as connection:
            subjects = await campaign_mails.paused(connection, name, _AT_ONCE)
        if not subjects:
            return 0
        vault = await stores.keystore.vault(set(subjects))
        async with stores.data.begin() as connection:
            campaign = await self._hold(connection, name)
            if campaign is None or campaign.state is not State.CANCELLED:
                return 0
            still = await campaign_mails.lock_paused(connection, stores.rows, name, _AT_ONCE)
            now = await stores.clock.now(connection)
            over = [Change(one.id, Status.CANCELLED, CANCELLED) for one in still]
            await changing.change(connection, over, now)
            items = [
                ends.item(one, CANCELLED, named=vault.has(one.subject, Compartment.EVIDENCE))
                for one in still
            ]
            if items:
                event = Event(Kind.MESSAGE_CANCELLED, Actor.SYSTEM, now, items=items)
                await stores.log.stage(connection, [draft(event, vault, stores.log.node)])
        return len(still)

    async def _make_some(self, campaign: Campaign) -> int:
        """Make messages for the next of its audience, where there is room for them."""
        stores = self._stores
        share = max(MOST_AHEAD // self._running, _LEAST_AHEAD)
        share = self._ahead(campaign.sender, share, stores.clock.wall())
        page = min(_PAGES[stores.data.dialect], max(share // 4, 1))
        if not await self._has_room(campaign, share - page):
            return 0  # else a page of the audience is read twice a second, for nothing
        if _cursor(campaign) is None and not await self._beginnings.may_begin(campaign.id):
            return 0
        whom = await self._audience(campaign)
        if isinstance(whom, Why):
            await self._put_aside(campaign.id, whom)
            return 0
        seen = await self._look(campaign, whom, page)
        async with stores.data.begin() as connection:
            held = await self._hold(connection, campaign.id)
            if held is None or held.state not in campaigns.GOES_ON or held.expanded_at is not None:
                return 0
            if _cursor(held) != _cursor(campaign):
                return 0  # another process was at it; the next step goes on from there
            now = await stores.clock.now(connection)
            waiting = await campaign_mails.count_open(connection, held.id)
            if share - waiting < len(seen.subjects) or not is_time(
                held.next_due_at, now, held.per_hour
            ):
                return 0
            seen, chosen = await self._chosen(connection, held, whom, seen)
            await self._write(connection, held, chosen, seen, now)
        return len(seen.subjects) + 1

    async def _has_room(self, campaign: Campaign, most: int) -> bool:
        """Whether it is time, and no more than *most* of its messages wait or are under way."""
        stores = self._stores
        async with stores.data.read() as connection:
            now = await stores.clock.now(connection)
            waiting = await campaign_mails.count_open(connection, campaign.id)
        return waiting <= most and is_time(campaign.next_due_at, now, campaign.per_hour)

    async def _audience(self, campaign: Campaign) -> Audience | Why:
        stores = self._stores
        async with stores.data.read() as connection:
            names = await campaigns.content_keys(connection, [campaign.id])
        keys = await stores.keystore.content_keys(names)
        if not keys:
            return Why.KEY_MISSING
        (key,) = keys.values()
        try:
            place = audience_place(campaign.id)
            return audience.read(content.open_shared(key, campaign.audience, *place))
        except (SealError, StoredError):
            return Why.ALTERED

    async def _look(self, campaign: Campaign, whom: Audience, most: int) -> _Seen:
        stores = self._stores
        limit = min(_OPENED, most) if whom.profile else most
        place = Place(campaign.starts_at, _cursor(campaign), limit)
        async with stores.data.read() as connection:
            found = await audience.page(connection, stores.consents, campaign.purpose, whom, place)
        subjects = frozenset(one.subject for one in found)
        vault = await stores.keystore.vault(subjects) if whom.profile else Vault({})
        last = _key(found[-1]) if found else _cursor(campaign)
        return _Seen(last, len(found), subjects, len(found) < limit, vault)

    async def _chosen(
        self, connection: AsyncConnection, campaign: Campaign, whom: Audience, seen: _Seen
    ) -> tuple[_Seen, list[str]]:
        """Whose consents stand as they were seen, and who has no message of the campaign yet.

        And how far that is: one that was committed late pushes others behind the page.
        """
        stores = self._stores
        place = Place(campaign.starts_at, _cursor(campaign), seen.consents or 1)
        page = await audience.page(connection, stores.consents, campaign.purpose, whom, place)
        seen = replace(seen, last=_key(page[-1]), whole=False) if _pushed(page, seen) else seen
        wanted = {
            one.subject
            for one in page
            if one.honest and seen.last is not None and _key(one) <= seen.last
        }
        wanted -= await campaign_mails.with_message(connection, campaign.id, wanted)
        if whom.profile:
            held = await gates.lock(connection, wanted)
        else:
            # Who is being erased is not gone before this ends, or would be written to for ever.
            held = await shares.share(connection, wanted)
        meant = [
            one async for one in in_turns(sorted(held)) if is_meant(held[one], whom, seen.vault)
        ]
        return seen, meant

    async def _write(
        self,
        connection: AsyncConnection,
        campaign: Campaign,
        chosen: Sequence[str],
        seen: _Seen,
        now: datetime,
    ) -> None:
        stores = self._stores
        due, next_at = slots(campaign.next_due_at, now, campaign.per_hour, len(chosen))
        messages = [
            _message(campaign, subject, due_at, now)
            async for subject, due_at in in_turns(zip(chosen, due, strict=True))
        ]
        await outbox.enqueue(connection, stores.rows, messages, now)
        # Behind the last nobody goes on, and a consent's id would outlive its person here.
        at, consent = (None, None) if seen.whole or seen.last is None else seen.last
        made = replace(
            campaign,
            state=State.SENDING if seen.whole else State.EXPANDING,
            after_at=at,
            after_id=consent,
            made=campaign.made + len(messages),
            next_due_at=next_at,
            expanded_at=now if seen.whole else None,
        )
        await campaigns.write(connection, stores.rows, made)

    async def _end(self, name: str, *, is_whole: bool = True) -> int:
        """Say that it is over, once each of its messages has ended."""
        stores = self._stores
        async with stores.data.read() as connection:
            goes_on = not is_whole or await campaign_mails.is_open(connection, name)
            if goes_on and not await tally.is_loose(connection, name):
                return 0
        async with stores.data.begin() as connection:
            campaign = await self._hold(connection, name)
            if campaign is None or campaign.ended_at is not None:
                return 0
            await tally.fold(connection, name)
            cancelled = campaign.state is State.CANCELLED
            if not cancelled and campaign.expanded_at is None:
                return 0
            if await campaign_mails.is_open(connection, name):
                return 0
            now = await stores.clock.now(connection)
            counts = (await tally.of(connection, [name])).get(name, {})
            event = Event(
                Kind.CAMPAIGN_ENDED, Actor.SYSTEM, now, refs={"campaign": name} | totals(counts)
            )
            state = State.CANCELLED if cancelled else State.DONE
            over = replace(campaign, after_at=None, after_id=None)
            ended = replace(over, state=state, ended_at=now, eid=event.eid)
            await campaigns.write(connection, stores.rows, ended)
            await stores.log.stage(connection, [draft(event, None, stores.log.node)])
        log.info("campaign_ended", campaign=name, messages=campaign.made)
        return 1


async def let_go_on(
    connection: AsyncConnection,
    stores: Stores,
    campaign: Campaign,
    messages: Sequence[outbox.Message],
    now: datetime,
) -> None:
    """Let locked messages of a locked campaign wait again, each in a turn of its own."""
    due, next_at = slots(campaign.next_due_at, now, campaign.per_hour, len(messages))
    turns = [Turn(one, due_at) for one, due_at in zip(messages, due, strict=True)]
    await campaign_mails.put_back(connection, stores.rows, turns, now)
    await campaigns.write(connection, stores.rows, replace(campaign, next_due_at=next_at))


def _pushed(page: Sequence[Consent], seen: _Seen) -> bool:
    """Whether some were committed since, so that as many end earlier. Of nobody none can be."""
    is_whole = 0 < len(page) == seen.consents
    return is_whole and seen.last is not None and _key(page[-1]) < seen.last


def _message(campaign: Campaign, subject: str, due_at: datetime, now: datetime) -> NewMessage:
    return NewMessage(
        id=ordered_id("msg", now),
        kind=MailKind.MARKETING,
        subject=subject,
        purpose=campaign.purpose,
        sender=campaign.sender,
        id_domain=campaign.id_domain,
        content_id=campaign.content,
        content=None,
        due_at=due_at,
        expires_at=due_at + LIFE,
        origin=campaign.origin,
        campaign=campaign.id,
    )


def is_meant(gate: Gate, whom: Audience, vault: Vault) -> bool:
    """Whether somebody is among those that answered so; whose answers do not open is not.

    Nor is who objected or restricted the use of their data (Art. 21(3) and 18(2) GDPR): they are
    mailed nothing, and for advertising their answers are not even opened.
    """
    if not gate.live:
        return False
    if not whom.profile:
        return True
    if gate.objected_at is not None or gate.restricted_at is not None:
        return False
    if not gates.usable(gate, vault, Compartment.PROFILE):
        return False
    try:
        return whom.wants(personal.open_profile(gate, vault))
    except (SealError, KeyUnusable):
        return False


def _key(consent: Consent) -> Cursor:
    assert consent.decided_at is not None  # noqa: S101 it is confirmed
    return consent.decided_at, consent.id


def _cursor(campaign: Campaign) -> Cursor | None:
    if campaign.after_at is None or campaign.after_id is None:
        return None
    return campaign.after_at, campaign.after_id


def totals(counts: Mapping[tuple[str, str | None], int]) -> dict[str, str]:
    """What it came to: numbers of messages by their end, and of refusals by their reason."""
    found: dict[str, int] = {}
    for (status, reason), number in counts.items():
        by_reason = status == Status.REFUSED and reason is not None
        word = f"{status}_{reason}" if by_reason else status
        found[word] = found.get(word, 0) + number
    return {word: str(number) for word, number in sorted(found.items()) if number}
