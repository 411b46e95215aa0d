"""Who left a mailbox, or stopped mails to it, is not asked there by one that waited."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import suppressions
from consent.address_links import AddressLink
from consent.keys.vault import Vault
from consent.lookup import LookUp
from consent.marks import Marks
from consent.moving import Towards
from storage.keysets import KeySet


class Asking(NamedTuple):
    """Links of mails that may go, and those of whom a process that lacks a key cannot tell."""

    links: Mapping[str, AddressLink]
    unsure: Collection[str] = ()


async def without_left(
    connection: AsyncConnection,
    marks: Marks,
    lookup: LookUp,
    suppression: KeySet,
    links: Mapping[str, AddressLink],
    vault: Vault,
    now: datetime,
) -> Asking:
    """*links* without those that ask a mailbox which somebody left since, for all mails.

    Nor those to one that said since, by whatever spelling, that it must not be asked. The gate of
    such a mail is that of whoever named the mailbox, so whose it is has no other way to end it.
    What leads to a mailbox that is on file, or was, ends by that gate.
    """
    opened = {one.id: one.opened(vault) for one in links.values() if one.kind is Towards.NEW}
    asking = {id: to for id, to in opened.items() if to is not None}
    if not asking:
        return Asking(links)
    held = lookup.held()
    indexes = {id: lookup.hashes(to.canonical) for id, to in asking.items()}
    marked = await marks.read(connection, {one for theirs in indexes.values() for one in theirs})
    left = {
        id for id, theirs in indexes.items() if marked.bars(theirs, None, links[id].created_at, now)
    }
    boxes = {id: set(suppressions.hashes_of(suppression, to)) for id, to in asking.items()}
    stopped = await suppressions.in_force(connection, set().union(*boxes.values()), now)
    left |= {id for id, theirs in boxes.items() if theirs & stopped.keys()}
    # After the marks: a key is told before the first of them is made with it.
    unsure = indexes.keys() - left if await lookup.beyond(connection, held) else ()
    return Asking({id: one for id, one in links.items() if id not in left}, unsure)
