"""Which campaigns do not go on: by their rows, and where the log says more than a row does.

An old row that somebody put back fits its MAC. The log knows what stopped the campaign since:
nothing of it is made, sent or signed anew by such a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import roll
from audit.kinds import Kind
from audit.rowmac import RowMacs
from delivery import campaigns
from delivery.campaigns import Campaign
from storage.honesty import RowKeys

STOPS: Final = (Kind.CAMPAIGN_PAUSED, Kind.CAMPAIGN_CANCELLED, Kind.CAMPAIGN_ENDED)


async def stopped(
    connection: AsyncConnection, keys: RowKeys, macs: RowMacs, names: Collection[str]
) -> set[str]:
    """Of which of these campaigns no mail goes now, whatever their messages say.

    The caller holds messages of them that wait: while they go on, none is stopped beside it.
    """
    if not names:
        return set()
    found = await campaigns.some(connection, keys, names)
    going = [one for one in found if one.state in campaigns.GOES_ON]
    return set(names) - {one.id for one in going} | await outdated(connection, macs, going)


async def outdated(
    connection: AsyncConnection, macs: RowMacs, rows: Iterable[Campaign]
) -> set[str]:
    """Which of these rows the log has stopped behind the event that they name.

    Of what has no index yet nothing is known; it has one within seconds.
    """
    of = {one.eid: one.id for one in rows}
    places = await roll.places_of(connection, macs, of.keys()) if of else {}
    if not places:
        return set()
    at = {of[eid]: place for eid, (place, _) in places.items()}
    told = await roll.behind(connection, macs, STOPS, min(at.values()))
    return {
        name
        for place, event in told
        if (name := event.refs.get("campaign", "")) in at and place > at[name]
    }
