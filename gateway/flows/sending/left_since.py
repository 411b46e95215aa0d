"""Who left a mailbox is not asked there any more by a mail that waited meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from consent.address_links import AddressLink
from consent.keys.vault import Vault
from consent.lookup import LookUp
from consent.marks import Marks
from consent.moving import Towards


class Asking(NamedTuple):
    """Links of mails that may go, and those of whom a process that lacks a key cannot tell."""

    links: Mapping[str, AddressLink]
    unsure: Collection[str] = ()


async def without_left(
    connection: AsyncConnection,
    marks: Marks,
    lookup: LookUp,
    links: Mapping[str, AddressLink],
    vault: Vault,
    now: datetime,
) -> Asking:
    """*links* without those that ask a mailbox which somebody left since, for all mails.

    The gate of such a mail is that of whoever named the mailbox, so whose it is has no other way
    to end it. What leads to a mailbox that is on file, or was, ends by that gate.
    """
    asking = {one.id: one.opened(vault) for one in links.values() if one.kind is Towards.NEW}
    indexes = {id: lookup.hashes(to.canonical) for id, to in asking.items() if to is not None}
    if not indexes:
        return Asking(links)
    marked = await marks.read(connection, {one for theirs in indexes.values() for one in theirs})
    left = {
        id for id, theirs in indexes.items() if marked.bars(theirs, None, links[id].created_at, now)
    }
    # After the marks: a key is told before the first of them is made with it.
    unsure = indexes.keys() - left if await lookup.lags(connection) else ()
    return Asking({id: one for id, one in links.items() if id not in left}, unsure)
