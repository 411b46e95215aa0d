"""The permits that were granted before, as far as a cap or a person's wish counts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import paces
from consent.paces import Pace
from delivery import permits
from gateway.config.config import Purpose
from gateway.flows.sending import pacing


async def permitted(
    connection: AsyncConnection,
    purposes: Mapping[str, Purpose],
    pairs: set[tuple[str, str]],
    chosen: Mapping[str, Pace],
    now: datetime,
) -> permits.Moments:
    """Earlier permits, where a purpose has a frequency cap or a person wants few mails."""
    caps = {name: p.at_most for name, p in purposes.items() if p.at_most}
    capped = {pair for pair in pairs if pair[1] in caps}
    few = set(pacing.pairs(chosen, purposes))
    if not capped and not few:
        return {}
    windows = [caps[purpose].window for _, purpose in capped]
    since = now - max([*windows, paces.LONGEST_APART] if few else windows)
    return await permits.moments(connection, capped | few, since, now)
