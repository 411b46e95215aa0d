"""Campaigns beside the log: none planted, copied, altered, deleted or put back as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent.errors import SealError
from consent.keys.keystore import KeyStore
from delivery import campaigns, tally
from delivery.campaigns import Campaign
from delivery.outbox import Status
from delivery.outcome import Kind as MailKind
from gateway.flows.campaigning.expansion import totals
from gateway.flows.campaigning.launch import audience_place, commitment
from gateway.flows.sending import content
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.secret import Secret

_KINDS = (
    Kind.CAMPAIGN_CREATED,
    Kind.CAMPAIGN_PAUSED,
    Kind.CAMPAIGN_RESUMED,
    Kind.CAMPAIGN_CANCELLED,
    Kind.CAMPAIGN_RESENT,
    Kind.CAMPAIGN_ENDED,
)


async def doubts(
    data: Database, keystore: KeyStore, keys: RowKeys, log: Log, clock: Clock, kept: timedelta
) -> AsyncIterator[str]:
    """Name campaigns that do not fit their events, what they said, or their messages."""
    async with data.snapshot() as connection:
        rows = await campaigns.every(connection, keys)
        told = await trail.happenings(connection, log.macs, _KINDS)
        before = await clock.now(connection) - kept
        stored = await campaigns.contents_of(connection, rows)
        counted = [one async for one in _miscounted(connection, rows)]
        came_to = await tally.of(connection, rows)
    for doubt in [*compare(told, rows, before), *counted, *_told_otherwise(told, rows, came_to)]:
        yield doubt
    opened = await keystore.content_keys({key for key, _ in stored.values() if key is not None})
    created = {one.refs.get("campaign", ""): one for one in told if one.kind is _KINDS[0]}
    for name, campaign in rows.items():
        key, sealed = stored.get(name, (None, b""))
        if name not in stored:
            if campaign.ended_at is None:
                yield f"campaign {name}: what it says is gone"
        elif name in created and not _is_whole(
            campaign, created[name], opened.get(key or ""), sealed
        ):
            yield f"campaign {name}: what it says, or whom it is for, is not what was asked for"


def compare(
    events: Iterable[Entry], rows: Mapping[str, Campaign], before: datetime
) -> Iterator[str]:
    """Compare events, in their order, with the rows that a gateway wrote.

    Of what ended *before*, the row may have gone by its term.
    """
    told = [one for one in events if "campaign" in one.refs]
    yield from _out_of_order(told)
    last = {one.refs["campaign"]: one for one in told}
    for name, event in last.items():
        gone_by_rule = event.kind is Kind.CAMPAIGN_ENDED and event.at <= before
        if name not in rows and not gone_by_rule:
            yield f"campaign {name}: the log tells of it, and its row is gone"
        elif name in rows and rows[name].eid != event.eid:
            yield f"campaign {name}: an old row was put back: the log tells otherwise"
    for name in rows.keys() - last.keys():
        yield f"campaign {name}: no event tells of it"


def _out_of_order(told: Iterable[Entry]) -> Iterator[str]:
    """What is cancelled ends, and what is over sends again: all else came of an old row."""
    follows = {
        Kind.CAMPAIGN_CANCELLED: (Kind.CAMPAIGN_ENDED,),
        Kind.CAMPAIGN_ENDED: (Kind.CAMPAIGN_RESENT,),
    }
    last: dict[str, Kind] = {}
    for one in told:
        name = one.refs["campaign"]
        before = last.get(name)
        last[name] = one.kind
        if before in follows and one.kind not in follows[before]:
            yield f"campaign {name}: the log tells of states that cannot follow each other"


def _told_otherwise(
    events: Iterable[Entry],
    rows: Mapping[str, Campaign],
    came_to: Mapping[str, Mapping[tuple[str, str | None], int]],
) -> Iterator[str]:
    """Where the numbers of a campaign that is over are others than the log was told."""
    last = {one.refs["campaign"]: one for one in events if "campaign" in one.refs}
    for name, event in last.items():
        if event.kind is Kind.CAMPAIGN_ENDED and name in rows:
            now = {one: int(number) for one, number in totals(came_to.get(name, {})).items()}
            then = {
                one: int(number)
                for one, number in event.refs.items()
                if one != "campaign" and number.isdigit()
            }
            if _in_doubt_together(now) != _in_doubt_together(then):
                yield f"campaign_count {name}: it came to other numbers than the log tells"


def _in_doubt_together(numbers: Mapping[str, int]) -> dict[str, int]:
    """What was uncertain may be known to be sent by now."""
    doubted = (str(Status.SENT), str(Status.UNCERTAIN))
    arrived = sum(numbers.get(one, 0) for one in doubted)
    return {one: n for one, n in numbers.items() if one not in doubted} | {"": arrived}


def _is_whole(campaign: Campaign, created: Entry, key: Secret | None, sealed: bytes) -> bool:
    if key is None:
        return False
    place = content.place(campaign.content, MailKind.MARKETING, campaign.purpose)
    try:
        said = content.open_shared(key, sealed, *place)
        whom = content.open_shared(key, campaign.audience, *audience_place(campaign.id))
    except SealError:
        return False
    there = (commitment(key, "content", said), commitment(key, "audience", whom))
    return there == (created.refs.get("content"), created.refs.get("audience"))


async def _miscounted(
    connection: AsyncConnection, rows: Mapping[str, Campaign]
) -> AsyncIterator[str]:
    ended = await tally.of(connection, rows)
    going = await tally.open_of(connection, rows)
    for name, campaign in rows.items():
        found = sum(ended.get(name, {}).values()) + sum(going.get(name, {}).values())
        if found != campaign.made:
            yield f"campaign_count {name}: {found} messages are counted, and {campaign.made} made"
        # Who was erased, and what went by its term, is counted and has no message any more.
        there = await tally.recounted(connection, name)
        if any(number > ended.get(name, {}).get(end, 0) for end, number in there.items()):
            yield f"campaign_count {name}: the messages ended otherwise than is counted"
