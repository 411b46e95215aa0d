"""Who withdrew is told so by one plain mail, where the operator wants that.

Queued in the transaction of the withdrawal, so that there is one for each or none, and
claimed like any other. Nobody is kept from leaving for it: where it cannot be made, none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import acknowledging, gates, links, service_mails, suppressions
from consent.address import Address
from consent.consents import Consent
from consent.errors import SealError
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Route
from consent.model import State
from consent.service_mails import Kind, ServiceMail
from consent.suppressions import Stop
from delivery import outbox
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.sending.content import OurMail, Wording, new_message
from gateway.flows.sending.occasion import ToTell
from storage.honesty import RowKeys
from storage.keysets import KeySet

log = structlog.get_logger()

_KEYS = (Compartment.PROFILE, Compartment.EVIDENCE)  # the mail is sealed, and its permit told of


def withdrawn(config: Config, ended: Iterable[Consent]) -> dict[str, list[Consent]]:
    """Of *ended*, by subject, what is to be told of: consents that stood and were taken back."""
    found: dict[str, list[Consent]] = {}
    for consent in ended:
        purpose = config.purposes.get(consent.purpose)
        stood = consent.honest and consent.state is State.WITHDRAWN
        if stood and purpose is not None and purpose.acknowledge:
            found.setdefault(consent.subject, []).append(consent)
    return found


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody, the consents that they withdrew just now, and their mailbox."""

    gate: Gate
    consents: Sequence[Consent]
    email: Address


async def queue(
    connection: AsyncConnection,
    config: Config,
    keys: RowKeys,
    same_mailbox: SameMailbox,
    leaving: Sequence[Leaver],
    vault: Vault,
    now: datetime,
) -> None:
    """Queue what tells these people that they left; hold their gates.

    One mail of each sender tells of all that was withdrawn at once. Nobody is told who
    does not want to be mailed, or whose mailbox had enough of these; nor where a key that we
    lack may say so.
    """
    suppression = same_mailbox.suppression
    told = [one for one in leaving if gates.usable(one.gate, vault, *_KEYS)]
    held = same_mailbox.held()
    mailboxes = await _Mailboxes.read(connection, suppression, [one.email for one in told], now)
    if await same_mailbox.lags(connection, held):
        return
    pairs = {(consent.subject, consent.purpose) for one in told for consent in one.consents}
    handles = await links.handles(connection, keys, pairs)
    rows: list[ServiceMail] = []
    mails: list[NewMessage] = []
    for one in told:
        for sender, consents in _by_sender(config, one.consents).items():
            said = _said(config, one.gate, consents, handles, vault)
            if said and not _is_stopped(one.gate) and mailboxes.allow(one.email, now):
                named = (Kind.WITHDRAWAL, one.gate.subject, one.email)
                stop, row = service_mails.new(suppression, *named)
                mails.append(_mail(config, sender, consents[0], said, vault, now, stop))
                rows.append(row)
    await service_mails.add(connection, rows, now)
    await outbox.enqueue(connection, keys, mails, now)


def _by_sender(config: Config, consents: Iterable[Consent]) -> Mapping[str, list[Consent]]:
    found: dict[str, list[Consent]] = {}
    for consent in consents:
        found.setdefault(config.purposes[consent.purpose].sender, []).append(consent)
    return found


def _is_stopped(gate: Gate) -> bool:
    return bool(gate.objected_at or gate.restricted_at or gate.suppressed is not None)


@dataclass(frozen=True, slots=True)
class _Mailboxes:
    """What stops mails to some mailboxes, and which of this kind went there."""

    keys: KeySet
    stops: Mapping[bytes, set[Stop]]
    sent: dict[bytes, list[datetime]]

    @classmethod
    async def read(
        cls, connection: AsyncConnection, keys: KeySet, emails: Sequence[Address], now: datetime
    ) -> Self:
        hashes = {one for email in emails for one in suppressions.hashes_of(keys, email)}
        boxes = {one for email in emails for one in service_mails.mailbox_hashes(keys, email)}
        stops = await suppressions.in_force(connection, hashes, now)
        return cls(keys, stops, await service_mails.sent(connection, Kind.WITHDRAWAL, boxes, now))

    def allow(self, email: Address, now: datetime) -> bool:
        """Say whether one more may go to *email*, and count it."""
        if any(self.stops.get(one) for one in suppressions.hashes_of(self.keys, email)):
            return False
        boxes = service_mails.mailbox_hashes(self.keys, email)
        if not acknowledging.may_queue([at for box in boxes for at in self.sent.get(box, ())], now):
            return False
        # At once: another withdrawal of this mailbox may be written in the same transaction.
        self.sent.setdefault(boxes[0], []).append(now)
        return True


def _said(
    config: Config,
    gate: Gate,
    consents: Iterable[Consent],
    handles: Mapping[tuple[str, str], bytes],
    vault: Vault,
) -> list[Wording]:
    """What was withdrawn, each with its link; nothing where one of them has none that works."""
    said, base = [], config.server.public_url
    for consent in consents:
        title = config.purposes[consent.purpose].title
        sealed = handles.get((gate.subject, consent.purpose))
        try:
            ways = links.links(gate.subject, consent.purpose, sealed or b"", vault, base)
        except (LookupError, SealError):
            log.error("link_not_opened")
            return []
        token = ways[Route.PREFERENCES].rpartition("/")[2]
        shown = title.get(gate.locale) or next(iter(title.values()))
        said.append(Wording(shown, "", again_url=f"{base}/again/{token}"))
    return said


def _mail(
    config: Config,
    sender: str,
    about: Consent,
    said: Sequence[Wording],
    vault: Vault,
    now: datetime,
    stop: str,
) -> NewMessage:
    """It says that they left, and how to be asked again; nothing of what mails are for."""
    return new_message(
        OurMail("withdrawal", {"stop": f"{config.server.public_url}/stop/{stop}"}, consents=said),
        vault,
        now,
        kind=MailKind.SERVICE,
        subject=about.subject,
        purpose=about.purpose,
        sender=sender,
        id_domain=config.senders[sender].dkim_domain,
        due_at=now,
        expires_at=now + acknowledging.SEND_WITHIN,
        why=ToTell(about.id),
    )
