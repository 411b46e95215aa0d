"""Where somebody is mailed, whatever leads to them; who speaks for that address speaks for them."""

from __future__ import annotations

import structlog

from consent import address, personal
from consent.address import Address
from consent.errors import SealError
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault

log = structlog.get_logger()


def mailbox_of(gate: Gate, vault: Vault) -> str | None:
    """The sealed address of somebody who leaves, whatever state and types their row shows.

    None where it does not open: nobody is kept from leaving for it.
    """
    if not isinstance(gate.address, bytes) or not vault.has(gate.subject, Compartment.PROFILE):
        return None
    try:
        return personal.open_mailbox(gate, vault)
    except SealError:
        log.error("address_not_opened")
        return None


def may_be_at(gate: Gate, vault: Vault, email: Address) -> bool:
    """Whether an address may be somebody's, whatever leads from it to them; yes without a key.

    The row that they were found by before their address changed may be put back: who speaks
    for that address speaks for somebody else.
    """
    known = at(gate, vault)
    return known is None or known == email.canonical


def at(gate: Gate, vault: Vault) -> str | None:
    """The canonical address that somebody has on file; None where it does not open."""
    mailbox = mailbox_of(gate, vault)
    return None if mailbox is None else address.recognised(mailbox)


def addresses(gate: Gate | None, said: Address | None, vault: Vault) -> list[Address]:
    """The address that somebody has on file, and that by which they were *said* to leave.

    Whoever writes rows may have altered what people are found by.
    """
    mailbox = None if gate is None else mailbox_of(gate, vault)
    known = [] if mailbox is None else [address.parse(mailbox)]
    return known if said is None else [*known, said]
