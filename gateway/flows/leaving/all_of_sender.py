"""A person leaves all that they agreed to from one sender, at once.

By the unsubscribe link of any of that sender's mails, or in their session. It only takes
permission away, and a link that leaves shows nothing of what else it ends: who was forwarded
the mail could end that mail's purpose anyway, and learns of no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from audit.kinds import Actor
from consent import links
from consent.links import Route
from gateway.config.config import Purpose
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from storage.database import Database
from storage.honesty import RowKeys


def of_sender(purposes: Mapping[str, Purpose], sender: str) -> set[str]:
    """The purposes under which a sender mails."""
    return {name for name, purpose in purposes.items() if purpose.sender == sender}


async def by_link(
    data: Database,
    rows: RowKeys,
    purposes: Mapping[str, Purpose],
    withdrawals: Withdrawals,
    token: str,
    channel: str,
) -> None:
    """As `Withdrawals.by_link`, for every purpose of the sender of that link's mails."""
    async with data.read() as connection:
        found = await links.follow(connection, rows, Route.UNSUBSCRIBE, token)
    if found is None:
        return
    subject, purpose = found
    # A purpose that left the configuration has no sender any more: it ends alone.
    theirs = of_sender(purposes, purposes[purpose].sender) if purpose in purposes else set()
    await leave(withdrawals, subject, theirs | {purpose}, channel)


async def leave(withdrawals: Withdrawals, subject: str, purposes: set[str], channel: str) -> None:
    """Withdraw each; returned when nothing for any of them can start."""
    leaving = [Withdrawal(purpose, Actor.SUBJECT, channel) for purpose in sorted(purposes)]
    # All are waited for, and one that fails keeps none of the others.
    each = (withdrawals.by_subject(subject, one) for one in leaving)
    failed = [one for one in await asyncio.gather(*each, return_exceptions=True) if one]
    if failed:
        raise failed[0]
