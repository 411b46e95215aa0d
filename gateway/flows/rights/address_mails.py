"""Somebody asked for another address: the one on file is told, the new one is asked.

Nobody looks whose the new one is, so what follows cannot tell. It is asked as seldom as by
sign-ups, and not where it said that it must not be; the one on file is told in any case,
and first, for whoever asks may only have borrowed the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, address_links, gates, intakes, moving, service_mails
from consent.address import Address
from consent.address_links import AddressLink
from consent.consents import Consent
from consent.errors import AddressError
from consent.gates import Gate
from consent.intakes import Intake, IntakeKind
from consent.keys.vault import Compartment, Vault
from consent.moving import Towards
from consent.service_mails import Kind
from delivery import outbox
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.flows.bad_rows import Busy, each_for_itself
from gateway.flows.joining.asking_limits import Asking, AskingKeys, AskingLimits
from gateway.flows.leaving import whereabouts
from gateway.flows.opening import opened
from gateway.flows.rights import fresh_link
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToAddress
from gateway.parts import Parts
from storage.honesty import RowKeys
from storage.locks import try_alone

log = structlog.get_logger()

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE = "service.address"
_AT_ONCE = 200
_ASKED, _CHANGED, _CONFIRM = "address_asked", "address_changed", "address_confirm"


def told(config: Config, about: About, to: Address, now: datetime) -> Written:
    """Tell the mailbox that was on file of what was asked for, with the way to stop that."""
    return _written(config, about, _ASKED, Towards.OLD, to, now)


def _asking(
    config: Config, about: About, to: Address, now: datetime, due_at: datetime, stop: str
) -> Written:
    """Ask a mailbox, with the way to stop such mails."""
    return _written(config, about, _CONFIRM, Towards.NEW, to, now, due_at=due_at, stop=stop)


def done(config: Config, about: About, to: Address, now: datetime) -> Written:
    """Tell the mailbox of before that it is not on file any more, with the way back."""
    return _written(config, about, _CHANGED, Towards.OLD, to, now)


def taken_back(config: Config, about: About, to: Address, now: datetime) -> Written:
    """Tell a mailbox that the change to it was taken back; that is the end of it."""
    return _written(config, about, _CHANGED, Towards.TOLD, to, now)


@dataclass(frozen=True, slots=True)
class About:
    """Whose address it is, with what a mail about it needs."""

    gate: Gate
    vault: Vault
    consents: Sequence[Consent]


@dataclass(frozen=True, slots=True)
class Written:
    """A mail and the row that says where it goes."""

    link: AddressLink
    message: NewMessage


async def send(
    connection: AsyncConnection, keys: RowKeys, mails: Sequence[Written], now: datetime
) -> None:
    """Queue mails, in this order."""
    await address_links.add(connection, keys, [one.link for one in mails])
    await outbox.enqueue(connection, keys, [one.message for one in mails], now)


def _written(
    config: Config,
    about: About,
    template: str,
    towards: Towards,
    to: Address,
    now: datetime,
    *,
    due_at: datetime | None = None,
    stop: str | None = None,
) -> Written:
    """No word in it comes from whoever asked, nor either address."""
    subject, base = about.gate.subject, config.server.public_url
    token, link = address_links.new(towards, subject, to, about.vault, now)
    links = {} if towards is Towards.TOLD else {"address": f"{base}/address/{token}"}
    links |= {} if stop is None else {"stop": f"{base}/stop/{stop}"}
    sender = fresh_link.sender_for(config, about.consents)
    message = new_message(
        OurMail(template, links=links),
        about.vault,
        now,
        kind=MailKind.SERVICE,
        subject=subject,
        purpose=moving.ASKING if towards is Towards.NEW else PURPOSE,
        sender=sender,
        id_domain=config.senders[sender].dkim_domain,
        due_at=due_at or now,
        expires_at=link.expires_at,
        why=ToAddress(link.id),
    )
    return Written(link, message)


@dataclass(frozen=True, slots=True)
class AddressMails:
    """Works off what was asked for; silent about everything."""

    parts: Parts

    async def work_off(self) -> int:
        """Write the mails; returns how many requests were decided."""
        parts = self.parts
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            waiting = await intakes.oldest(connection, _AT_ONCE, now, IntakeKind.ADDRESS)
        rows = {intake.id: intake for intake in waiting}
        return sum(await each_for_itself(parts.data, parts.clock, intakes.NAME, rows, self._decide))

    async def _decide(self, waiting: Sequence[Intake]) -> int:
        parts = self.parts
        said = await opened(parts.keystore, waiting, intakes.open_new_addresses)
        vault = await parts.keystore.vault({one.subject for one in said.values()})
        weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
        keys = AskingKeys(parts.keyring.suppression, weekly, parts.config.limits.enabled)
        async with parts.data.begin() as connection:
            # Whoever counts confirmation mails does so alone.
            if not await try_alone(connection, "intake"):
                raise Busy
            there = await intakes.lock(connection, [intake.id for intake in waiting])
            rows = [one for one in waiting if one.id in there and one.id in said]
            asked = [said[one.id] for one in rows]
            to = {one.id: said[one.id].email for one in rows}
            owners = await parts.lookup.find(connection, {one.canonical for one in to.values()})
            # Also of whose mailbox it is: they hold theirs while they leave.
            theirs = {one.subject for one in asked} | {one.subject for one in owners.values()}
            held = await gates.lock(connection, theirs)
            now = await parts.clock.now(connection)
            still = await fresh_link.standing(connection, parts.marks, parts.lookup, rows, to, now)
            consents = await parts.consents.of_subjects(connection, held)
            askings = [Asking(one.email, one.network) for one in asked]
            limits = await AskingLimits.read(connection, keys, askings, now)
            for intake, one, asking in zip(rows, asked, askings, strict=True):
                gate = held.get(one.subject)
                if gates.usable(gate, vault, Compartment.PROFILE):
                    about = About(gate, vault, consents.get(gate.subject, []))
                    left = intake.id not in still
                    await self._write(connection, about, limits, asking, now, left=left)
            await limits.store(connection, now)
            await intakes.remove(connection, [intake.id for intake in waiting])
        return len(waiting)

    async def _write(
        self,
        connection: AsyncConnection,
        about: About,
        limits: AskingLimits,
        asking: Asking,
        now: datetime,
        *,
        left: bool,
    ) -> None:
        parts, subject = self.parts, about.gate.subject
        before = on_file(about.gate, about.vault)
        lately = await address_links.told_lately(connection, parts.rows, subject, now)
        if before is None or lately >= moving.TOLD_A_WEEK:
            return
        # Only the newest change that was asked for can come to be, also where it is not mailed:
        # else who asks could tell by an older link whether it was.
        newer = {Towards.NEW}
        await address_links.end(connection, parts.rows, subject, now, kinds=newer)
        mails = [told(parts.config, about, before, now)]
        due_at = await limits.allow_address(connection, asking, now)
        # Whose mailbox it is may have left since. The one on file is told all the same, and the
        # domain's turn taken: else whoever asks could tell.
        if due_at is not None and not left:
            keys = parts.keyring.suppression
            stop, row = service_mails.new(keys, Kind.ADDRESS, subject, asking.email)
            await service_mails.add(connection, [row], now)
            due_at = max(due_at, now + moving.TOLD_BEFORE)
            mails.append(_asking(parts.config, about, asking.email, now, due_at, stop))
        await send(connection, parts.rows, mails, now)


def on_file(gate: Gate, vault: Vault) -> Address | None:
    """The address that somebody is mailed at; None where it does not open."""
    mailbox = whereabouts.mailbox_of(gate, vault)
    try:
        return None if mailbox is None else address.parse(mailbox)
    except AddressError:
        log.error("address_not_opened")
        return None
