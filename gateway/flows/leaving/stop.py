"""A mailbox wants no more mails that anybody can have sent to it: "stop these"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.rowmac import RowMacs
from consent import address_links, gates, service_mails, suppressions, tokens
from consent.address import Address
from consent.address_links import AddressLink
from consent.errors import SealError
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.service_mails import StopLink
from consent.suppressions import Stop, Suppression
from delivery import permits
from delivery.permit_wait import PermitWait
from gateway.flows.leaving import asking_kept_out, hidden, same_mailbox, withdraw
from gateway.flows.leaving.asked_there import of_asking
from gateway.flows.leaving.same_mailbox import SameMailbox, There
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.keysets import KeySet

log = structlog.get_logger()


async def stop(
    data: Database,
    clock: Clock,
    keystore: KeyStore,
    rows: RowKeys,
    boxes: SameMailbox,
    permit_wait: PermitWait,
    permit_ttl: timedelta,
    macs: RowMacs,
    token: str,
) -> None:
    """Stop confirmation mails and fresh links to the mailbox that *token* was sent to, for a year.

    Returns when none can start any more; what was asked for and waits ends too.
    Consents stand. A link that nobody has, or whose year is over, stops nothing.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return
    async with data.read() as connection:
        now = await clock.now(connection)
        link = await service_mails.find(connection, digest, now)
    if link is None:
        return
    vault = await _vault(data, keystore, rows, boxes, link, now)
    async with data.begin() as connection:
        await _keep_asking_out(connection, boxes.suppression, vault, link, now)
        # Not before: meanwhile a mail may have been queued for another spelling of the mailbox.
        meant = await _meant(connection, boxes, rows, vault, link, now)
        together = await gates.lock(connection, meant.sharing | meant.asking)
        if link.subject not in together:  # away for a moment: what is answered now would not hold
            log.error("person_away")
            raise StorageAway("data")
        if await service_mails.find(connection, digest, now) != link:
            raise StorageAway("data")  # they moved meanwhile: the link stops another mailbox
        held = meant.at_home(together, rows)
        now = await clock.now(connection)
        if link.address_hash is not None:  # it went elsewhere than to the mailbox on file
            until = suppressions.blocked_until(now)
            block = Suppression(link.address_hash, Stop.SERVICE, until, kid=link.kid)
            await suppressions.add(connection, [block], now)
            await gates.block_asking(connection, rows, held, now)
        else:
            await withdraw.block_asking(
                connection, rows, boxes.suppression, held, vault, now, Stop.SERVICE
            )
        still_open = permits.together(await permits.open_of(connection, meant.ended(), now))
        held_back = await hidden.holders(connection, macs, vault, together, now, permit_ttl)
    if held_back:
        raise StorageAway("data")
    # With no connection held: the permits that it waits for are spent by others, who need one.
    await permit_wait.until_over(still_open)


async def whose(data: Database, clock: Clock, token: str) -> str | None:
    """Who was sent a link while it stops something; None for one that does not.

    And for one that went elsewhere than to the mailbox on file: whoever reads there is not they,
    and would learn from their page what they are mailed like, and once they are gone.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with data.read() as connection:
        link = await service_mails.find(connection, digest, await clock.now(connection))
    return None if link is None or link.address_hash is not None else link.subject


async def _vault(
    data: Database,
    keystore: KeyStore,
    rows: RowKeys,
    boxes: SameMailbox,
    link: StopLink,
    now: datetime,
) -> Vault:
    """The keys of all who are meant, and of whom it takes to find these.

    Before anything is locked: the key store may be slow, and who holds gates holds up mail.
    """
    async with data.read() as connection:
        known = await service_mails.sharing(connection, [link.subject], [link.mailbox])
    known.add(link.subject)
    vault = await keystore.vault(known)
    async with data.read() as connection:
        meant = await _meant(connection, boxes, rows, vault, link, now)
    return await keystore.vault(known | meant.sharing | meant.asking)


async def _keep_asking_out(
    connection: AsyncConnection, keys: KeySet, vault: Vault, link: StopLink, now: datetime
) -> None:
    if link.address_hash is None:
        await asking_kept_out.of_people(connection, keys, vault, [(link.subject, None)], now)
    else:
        await asking_kept_out.of_mailboxes(connection, [{link.address_hash}], now)


class _Meant(NamedTuple):
    """Whose mails wait for the mailbox of a link, by whatever spelling."""

    sharing: set[str]
    asking: set[str]  # whether somebody's mails shall go there: nothing else of theirs ends

    def ended(self) -> list[tuple[str, str | None]]:
        return [*((one, None) for one in self.sharing), *of_asking(self.asking)]

    def at_home(self, held: Mapping[str, Gate], keys: RowKeys) -> list[Gate]:
        return [held[one] for one in self.sharing & held.keys() if not held[one].gone(keys)]


async def _meant(
    connection: AsyncConnection,
    boxes: SameMailbox,
    rows: RowKeys,
    vault: Vault,
    link: StopLink,
    now: datetime,
) -> _Meant:
    there = await _there(connection, boxes.suppression, rows, vault, link)
    sharing = await boxes.sharing(connection, there)
    asking = await boxes.asking(connection, there, now)
    if link.address_hash is None:
        return _Meant(sharing, asking)
    return _Meant(sharing, asking | {link.subject} - sharing)


async def _there(
    connection: AsyncConnection, keys: KeySet, rows: RowKeys, vault: Vault, link: StopLink
) -> There:
    """The mailbox of a link; where it is not that on file, its address is not ours to know.

    Those tell it who are mailed there, and for a week the link of the mail that asked.
    """
    named = [link.mailbox]
    if link.address_hash is None:
        return await same_mailbox.of_people(connection, vault, [(link.subject, None)], named)
    known = await service_mails.sharing(connection, (), named)
    on_file = await same_mailbox.of_people(connection, vault, [(one, None) for one in known])
    asked = await address_links.of_subject(connection, rows, link.subject)
    emails = [*on_file.emails, *(_asked_for(one, vault) for one in asked)]
    return There(
        (), [one for one in emails if one is not None and _went_to(keys, link, one)], named
    )


def _asked_for(one: AddressLink, vault: Vault) -> Address | None:
    """None where it does not open: nobody keeps a mailbox from stopping mails by their own key."""
    if not vault.has(one.subject, Compartment.PROFILE):
        return None
    try:
        return one.opened(vault)
    except SealError:
        log.error("address_not_opened")
        return None


def _went_to(keys: KeySet, link: StopLink, email: Address) -> bool:
    key = keys.get(link.kid)
    return key is not None and suppressions.mailbox_hash(key, email) == link.address_hash
