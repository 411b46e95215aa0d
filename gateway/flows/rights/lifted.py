"""A stop was lifted: the mailbox on file is told which and when, with a link that stops it again.

Whoever lifted it may only have borrowed the session. Queued in the transaction of the lifting, so
that there is one mail for each or none, and claimed like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address_links, gates, moving
from consent.address_links import AddressLink
from consent.consents import Consents
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.moving import Towards
from consent.stop_proofs import Lifted
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.flows.rights import address_mails, fresh_link
from gateway.flows.rights.address_mails import Written
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToAddress
from gateway.look import moments

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE = "service.stops"
_TEMPLATE = "stop_lifted"


@dataclass(frozen=True, slots=True)
class Lift:
    """What was lifted, by whom, and of a pause until when it would have been."""

    stop: Lifted
    by_us: bool = False  # somebody at the desk, as they were asked to
    paused_until: datetime | None = None


async def tell(
    connection: AsyncConnection,
    consents: Consents,
    config: Config,
    gate: Gate,
    vault: Vault,
    lift: Lift,
    now: datetime,
) -> str | None:
    """Queue the mail; hold the gate. Nobody is kept from lifting where it cannot be made.

    Returns its link, for the log to tell of: without its row nobody stops again what was lifted.

    Past its week's number there is none: the link of each that went stops again whatever
    restriction or objection was lifted since, and a pause for as long as it told of.
    """
    if not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    there = address_mails.on_file(gate, vault)
    lately = await address_links.told_lately(
        connection, consents.keys, gate.subject, now, lift.stop
    )
    if there is None or lately >= moving.LIFTS_TOLD_A_WEEK:
        return None
    theirs = (await consents.of_subjects(connection, [gate.subject])).get(gate.subject, [])
    token, link = address_links.new(
        Towards.LIFTED,
        gate.subject,
        there,
        vault,
        now,
        lifted=lift.stop,
        paused_until=lift.paused_until,
    )
    sender = fresh_link.sender_for(config, theirs)
    message = new_message(
        _said(config, gate.locale, lift, token, link),
        vault,
        now,
        kind=MailKind.SERVICE,
        subject=gate.subject,
        purpose=PURPOSE,
        sender=sender,
        id_domain=config.senders[sender].dkim_domain,
        due_at=now,
        expires_at=link.expires_at,
        why=ToAddress(link.id),
    )
    await address_mails.send(connection, consents.keys, [Written(link, message)], now)
    return link.id


def _said(config: Config, locale: str, lift: Lift, token: str, link: AddressLink) -> OurMail:
    """No word in it comes from whoever lifted it."""
    return OurMail(
        _TEMPLATE,
        links={"stop_again": f"{config.server.public_url}/stop-again/{token}"},
        locale=locale,
        data={
            "lifted": lift.stop,
            "at": moments.moment(link.created_at, locale),
            "until": moments.moment(link.expires_at, locale),
            "by": "us" if lift.by_us else "somebody",
        },
    )
