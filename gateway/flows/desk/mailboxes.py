"""Whether a mailbox is an operator's, without saying whose."""

from __future__ import annotations

from audit.log import Log
from consent.address import Address
from consent.keys.keystore import KeyStore
from gateway.callers import operators
from gateway.flows.desk.staff import identities
from storage.database import Database
from storage.honesty import RowKeys


async def is_operators(
    data: Database, keystore: KeyStore, log: Log, rows: RowKeys, email: Address
) -> bool:
    """Whether somebody who may sign in has this mailbox."""
    async with data.read() as connection:
        known = await operators.listed(connection, rows)
        revoked = await operators.ended(connection, log.macs)
    standing = operators.standing(known, revoked)
    found = identities(standing.values(), await keystore.vault(list(standing)))
    return any(one.email.canonical == email.canonical for one in found.values())
