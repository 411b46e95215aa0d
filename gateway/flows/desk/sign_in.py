"""A link to the desk: asked for by anybody, sent only to a mailbox that the configuration names.

Whoever asks is answered before anybody looks whose address it is (`fresh_link.accept`). The
mailbox is on file as anybody's whom we mail, without a consent, under a key of its own: that
somebody looked outlives whoever was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import address, fresh_links, gates, intakes, personal, tokens
from consent.address import Address
from consent.consents import Consents
from consent.fresh_links import LINK_LIFE, FreshLink
from consent.gates import Gate, Newcomer
from consent.intakes import Intake, IntakeKind
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
from consent.subject_evidence import AtDesk
from consent.trail import Trail
from delivery import outbox
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.flows.bad_rows import Busy, each_for_itself
from gateway.flows.rights import erasing
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToOpen
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import ordered_id, random_id
from storage.locks import try_alone

logger = structlog.get_logger()

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE: Final = "service.desk"
AT_ONCE: Final = 50
MOST: Final = 5  # links to one mailbox within an hour: nobody is to flood it with them
_WITHIN: Final = timedelta(hours=1)
_KEYS: Final = (Compartment.PROFILE, Compartment.EVIDENCE)
_DOMAIN: Final = b"consentgw/desk/v1\0"


def hash_of(token: str) -> bytes | None:
    """What a token of the desk is found by: that of a person's own pages opens nothing here."""
    digest = tokens.hash_of(token)
    return None if digest is None else hashlib.sha256(_DOMAIN + digest).digest()


@dataclass(frozen=True, slots=True)
class SignIns:
    """Works off what was asked for at the desk's door."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys
    consents: Consents
    lookup: LookUp
    config: Config
    eraser: Erasing

    async def work_off(self) -> int:
        """Send the links; returns how many requests were decided. Silent about everything."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            waiting = await intakes.oldest(connection, AT_ONCE, now, IntakeKind.SIGN_IN)
        rows = {one.id: one for one in waiting}
        return sum(await each_for_itself(self.data, self.clock, intakes.NAME, rows, self._decide))

    async def _decide(self, waiting: Sequence[Intake]) -> int:
        keys = await self.keystore.intake_keys({one.key_id for one in waiting})
        opened = intakes.open_fresh_links(waiting, keys)
        for one in opened.damaged:
            logger.error("intake_not_opened", key_id=one.key_id)
        # Several at once, in the name of one mailbox, are one.
        asked = {said.canonical: said for said in opened.said.values()}
        theirs = {c: said for c, said in asked.items() if self.config.operator_of(said)}
        async with self.data.read() as connection:
            found = await self.lookup.find(connection, theirs)
        altered = {canonical for canonical, one in found.items() if not one.honest}
        subjects = {c: found[c].subject if c in found else random_id("sub") for c in theirs}
        await self.keystore.create([subjects[c] for c in theirs if c not in found], self._wall)
        vault = await self.keystore.vault(subjects.values())
        async with self.data.begin() as connection:
            # As whoever else admits people does.
            if not await try_alone(connection, "intake"):
                raise Busy
            there = await intakes.lock(connection, [one.id for one in waiting])
            for canonical in sorted(theirs, key=subjects.__getitem__):
                if there and canonical not in altered:
                    to = _To(theirs[canonical], subjects[canonical], found.get(canonical))
                    await self._send(connection, to, vault)
            await intakes.remove(connection, sorted(there))
        return len(waiting)

    @property
    def _wall(self) -> datetime:
        return self.clock.wall()

    async def _send(self, connection: AsyncConnection, to: _To, vault: Vault) -> None:
        gate = await self._gate(connection, to, vault)
        now = await self.clock.now(connection)
        if not gates.usable(gate, vault, *_KEYS):
            return
        since = now - _WITHIN
        if await fresh_links.count(connection, gate.subject, since) >= MOST:
            return
        link, message = self._mail(gate, vault, now)
        await fresh_links.add(connection, self.rows, [link])
        await outbox.enqueue(connection, self.rows, [message], now)

    async def _gate(self, connection: AsyncConnection, to: _To, vault: Vault) -> Gate | None:
        """The mailbox's row, held; it is made where nobody is known by that address."""
        if to.found is not None:
            return (await gates.lock(connection, [to.subject])).get(to.subject)
        sealed = personal.seal_mailbox(to.subject, to.email.mailbox, vault)
        language = next(iter(self.config.locales), "en")
        new = [Newcomer(to.subject, to.email.canonical, sealed, language)]
        now = self._wall
        admitted = await gates.admit(connection, self.rows, self.lookup, new, now)
        gate = admitted.get(to.subject)
        name = self.config.operator_of(to.email)
        if gate is None or name is None:
            return None
        # By this event the mailbox is found again once the configuration names it no more.
        trail = Trail(self.log, vault, admitted)
        said, refs = AtDesk(name, self.config.operators[name].role), {"operator": name}
        kind = Kind.OPERATOR_CREATED
        trail.record(kind, to.subject, Actor.SYSTEM, now, evidence=said, refs=refs)
        await trail.stage(connection)
        return gate

    def _mail(self, gate: Gate, vault: Vault, now: datetime) -> tuple[FreshLink, NewMessage]:
        """A new link and the mail that carries it; no word in it comes from whoever asked."""
        token, _ = tokens.new_link_token()
        digest = hash_of(token)
        assert digest is not None  # noqa: S101 made a line above
        link = FreshLink(ordered_id("lnk", now), digest, gate.subject, now, now + LINK_LIFE)
        links: Mapping[str, str] = {"desk": f"{self.config.server.public_url}/dpo/link/{token}"}
        sender = next(iter(self.config.senders))
        message = new_message(
            OurMail("desk", links=links, locale=gate.locale),
            vault,
            now,
            kind=MailKind.SERVICE,
            subject=gate.subject,
            purpose=PURPOSE,
            sender=sender,
            id_domain=self.config.senders[sender].dkim_domain,
            due_at=now,
            expires_at=link.expires_at,
            why=ToOpen(link.id),
        )
        return link, message

    async def let_go(self) -> int:
        """Forget mailboxes that the configuration names no more; returns how many.

        Who agreed to anything stays for that.
        """
        async with self.data.read() as connection:
            entered = await audit_trail.subjects_of(connection, Kind.OPERATOR_CREATED)
            known = await gates.peek(connection, entered)
        vault = await self.keystore.vault(known)
        going = sorted(one for one, gate in known.items() if self._is_over(gate, vault))
        if not going:
            return 0
        async with self.data.begin() as connection:
            held = await gates.lock(connection, going)
            consents = await self.consents.of_subjects(connection, held)
            now = await self.clock.now(connection)
            free = [gate for one, gate in held.items() if not consents.get(one)]
            over = [gate for gate in free if self._is_over(gate, vault)]
            await erasing.begin(self.log, connection, self.rows, self.lookup, None, over, now)
        return await self.eraser.finish([gate.subject for gate in over]) if over else 0

    def _is_over(self, gate: Gate | None, vault: Vault) -> bool:
        if not gates.usable(gate, vault, *_KEYS):
            return False
        mailbox = personal.open_mailbox(gate, vault)
        return mailbox is None or self.config.operator_of(address.parse(mailbox)) is None


@dataclass(frozen=True, slots=True)
class _To:
    """Whom a link goes to; *found* is None where the mailbox was not on file yet."""

    email: Address
    subject: str
    found: Found | None
