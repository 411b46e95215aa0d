"""An address by which nobody is found, though somebody is mailed at it: the row is away.

Whoever passes on that its person leaves, or is to be forgotten, would be told so, and the look-up
row may be back when mails go out. Mails that somebody asked for name the mailbox that they went to
by a hash of their own, for a year: who is found by that and has this very address on file is
meant.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from consent import gates, service_mails
from consent.address import Address
from consent.keys.keystore import KeyStore
from consent.lookup import LookUp
from gateway.flows.leaving import whereabouts
from storage.database import Database
from storage.errors import PartAway
from storage.honesty import RowKeys
from storage.keysets import KeySet

log = structlog.get_logger()


async def require_none(
    data: Database,
    keystore: KeyStore,
    lookup: LookUp,
    keys: RowKeys,
    suppression: KeySet,
    strangers: Sequence[Address],
) -> None:
    """Raise `PartAway` where one of these, by which nobody is found, is somebody's all the same.

    Locks nothing. Of who is being erased it is as it should be.
    """
    if not strangers:
        return
    boxes = {box for one in strangers for box in service_mails.mailbox_hashes(suppression, one)}
    # Of one moment: who signs up in between is found.
    async with data.snapshot() as connection:
        found = await lookup.find(connection, {one.canonical for one in strangers})
        sharing = await service_mails.sharing(connection, (), boxes)
        known = await gates.peek(connection, sharing)
    here = [gate for gate in known.values() if not gate.gone(keys)]
    if not here:
        return
    vault = await keystore.vault([gate.subject for gate in here])
    said = {one.canonical for one in strangers} - found.keys()
    if any(whereabouts.at(gate, vault) in said for gate in here):
        log.error("look_up_row_away")
        raise PartAway("data")
