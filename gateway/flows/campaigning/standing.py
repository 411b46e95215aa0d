"""How campaigns stand: counted from what changed, never from all their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import audience
from consent.errors import SealError
from consent.model import Reason, State
from delivery import campaigns, tally
from delivery.campaigns import OF_ALL, Campaign, Whose
from delivery.outbox import Status
from gateway.flows.campaigning.launch import Stores, reference_place
from gateway.flows.sending import content

# What a row may say otherwise, nobody of us wrote.
_STOPS = (
    Reason.RESTRICTED,
    Reason.OBJECTED,
    Reason.SUPPRESSED_BOUNCE,
    Reason.SUPPRESSED_COMPLAINT,
)
_TOLD = frozenset({"permitted", "erasing", *map(str, State), *map(str, _STOPS)})


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign, its messages by status, and its refusals by reason."""

    campaign: Campaign
    counts: Mapping[str, int]
    refused: Mapping[str, int]
    reference: str | None = field(default=None, repr=False)


async def look(stores: Stores, name: str) -> Standing | None:
    """One campaign; None where no gateway wrote such a row."""
    async with stores.data.snapshot() as connection:
        campaign = await campaigns.get(connection, stores.rows, name)
        if campaign is None:
            return None
        (found,) = await _counted(connection, [campaign])
        names = await campaigns.content_keys(connection, [name])
    keys = await stores.keystore.content_keys(names)
    if campaign.reference is None or not keys:
        return found
    (key,) = keys.values()
    try:
        raw = content.open_shared(key, campaign.reference, *reference_place(name))
    except SealError:
        return found
    return Standing(campaign, found.counts, found.refused, raw.decode())


async def audience_of(stores: Stores, purpose: str) -> dict[str, int]:
    """How many consents a purpose has, by where they stand."""
    async with stores.data.read() as connection:
        found = await audience.counts(connection, purpose)
    return {word: number for word, number in found.items() if word in _TOLD}


async def listed(
    stores: Stores, after: str | None, limit: int, whose: Whose = OF_ALL
) -> tuple[list[Standing], str | None]:
    """The next campaigns, oldest first, and behind which to go on."""
    async with stores.data.snapshot() as connection:
        page, more = await campaigns.listed(connection, stores.rows, after, limit, whose)
        return await _counted(connection, page), more


async def _counted(connection: AsyncConnection, page: Sequence[Campaign]) -> list[Standing]:
    names = [one.id for one in page]
    ended = await tally.of(connection, names)
    going = await tally.open_of(connection, names)
    return [_standing(one, ended.get(one.id, {}), going.get(one.id, {})) for one in page]


def _standing(
    campaign: Campaign, ended: Mapping[tuple[str, str | None], int], going: Mapping[str, int]
) -> Standing:
    counts, refused = dict(going), {}
    for (status, reason), number in ended.items():
        counts[status] = counts.get(status, 0) + number
        if status == Status.REFUSED and reason is not None:
            refused[reason] = number
    return Standing(campaign, counts, refused)
