"""Nobody asks a mailbox while whoever reads there says that it must not be asked.

Whoever admits sign-ups looks once whether a mailbox may be asked, and holds no gate of who reads
there where it is spelled otherwise: what was said behind that look would end nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates, suppressions
from consent.address import Address
from consent.keys.vault import Vault
from gateway.flows.leaving import whereabouts
from storage.keysets import KeySet
from storage.locks import keep_out


async def of_people(
    connection: AsyncConnection,
    keys: KeySet,
    vault: Vault,
    said: Sequence[tuple[str | None, Address | None]],
    now: datetime,
) -> None:
    """As `of_mailboxes`, for people's, and the addresses that they were named by."""
    known = await gates.peek(connection, {one for one, _ in said if one is not None})
    boxes = []
    for subject, email in said:
        emails = whereabouts.addresses(known.get(subject or ""), email, vault)
        secrets = keys.live.values()
        boxes.append({suppressions.mailbox_hash(key, one) for one in emails for key in secrets})
    await of_mailboxes(connection, boxes, now)


async def of_mailboxes(
    connection: AsyncConnection, boxes: Sequence[Collection[bytes]], now: datetime
) -> None:
    """Wait until nobody admits sign-ups, and let nobody before this transaction ends.

    Not where all of them are blocked already, each by one of its hashes: whoever says so again and
    again would keep everybody's sign-ups waiting. Take it before any other lock.
    """
    hashes = {one for theirs in boxes for one in theirs}
    blocked = await suppressions.in_force(connection, hashes, now) if hashes else {}
    if not all(blocked.keys() & set(theirs) for theirs in boxes):
        await keep_out(connection, "intake")
