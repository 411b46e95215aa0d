"""The public checkpoint goes to a mailbox that keeps it: whoever has it convicts a forged log.

To the controller's contact, and to nobody else. Mail and event stand in one transaction, once
for each public checkpoint: a process that is killed before leaves it due, and one that is killed
behind it leaves it done. The mailbox is on file as anybody's whom we mail, without a consent;
once the configuration names another one, or none, it is forgotten.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import mailed, public, succession
from audit.entry import draft
from audit.log import Log
from audit.publish import Publisher
from audit.published import Stored
from consent import gates, kept_outside, personal
from consent.address import Address
from consent.consents import Consents
from consent.gates import Gate, Newcomer
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
from delivery import outbox
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from delivery.schedule import LIFE
from gateway.config.config import Config
from gateway.flows.rights import erasing, still_needed
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToKeep
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import named, random_id
from storage.locks import try_alone

log = structlog.get_logger()

_KEYS: Final = (Compartment.PROFILE, Compartment.EVIDENCE)
_BEFORE: Final = 32  # mails by which a mailbox of before is found


@dataclass(frozen=True, slots=True)
class CheckpointMails:
    """Queues the mails, and lets go of a mailbox that gets none any more."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    publisher: Publisher
    lookup: LookUp
    consents: Consents
    config: Config
    eraser: Erasing

    @property
    def _rows(self) -> RowKeys:
        return self.consents.keys

    async def queue(self) -> int:
        """Queue the mail that is due; returns how many are."""
        keeper = self.config.checkpoints_to
        if keeper is None:
            return 0
        async with self.data.read() as connection:
            if await self._due(connection) is None:
                return 0
            found = (await self.lookup.find(connection, {keeper.canonical})).get(keeper.canonical)
        if found is not None and not found.honest:
            log.error("checkpoint_mail.mailbox_altered")
            return 0
        subject = random_id("sub") if found is None else found.subject
        if found is None:
            await self.keystore.create([subject], self.clock.wall())
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            # As whoever else admits people does; this look comes again in a moment.
            if not await try_alone(connection, "intake"):
                return 0
            gate = await self._gate(connection, keeper, subject, found, vault)
            shown = await self._due(connection)
            if shown is None or not gates.usable(gate, vault, *_KEYS):
                return 0  # another process did it meanwhile, or somebody is being erased
            await self._write(connection, shown, gate, vault)
        return 1

    async def _due(self, connection: AsyncConnection) -> Stored | None:
        """The public checkpoint that is to be mailed now."""
        shown = await public.newest(connection, self.log, self.publisher.verifier)
        last = await mailed.newest(connection, self.log.macs, 1)
        now = await self.clock.now(connection)
        if shown is None or self.config.audit.mail is None:
            return None
        if last and last[0].place == shown.place:
            return None
        every = self.config.audit.mail.every
        return shown if public.is_due_again(last[0].at if last else None, now, every) else None

    async def _gate(
        self,
        connection: AsyncConnection,
        keeper: Address,
        subject: str,
        found: Found | None,
        vault: Vault,
    ) -> Gate | None:
        """The mailbox's row, held; it is made where nobody is known by that address."""
        if found is not None:
            return (await gates.lock(connection, [subject])).get(subject)
        assert self.config.audit.mail is not None  # noqa: S101 else nothing is due
        sealed = personal.seal_mailbox(subject, keeper.mailbox, vault)
        language = self.config.audit.mail.language
        new = [Newcomer(subject, keeper.canonical, sealed, language)]
        now = self.clock.wall()
        return (await gates.admit(connection, self._rows, self.lookup, new, now)).get(subject)

    async def _write(
        self, connection: AsyncConnection, shown: Stored, gate: Gate, vault: Vault
    ) -> None:
        now, eid = await self.clock.now(connection), secrets.token_bytes(16)
        message = self._message(shown, gate, vault, now, ToKeep(named("evt", eid)))
        event = mailed.event(eid, shown, message.id, gate.subject, now)
        await outbox.enqueue(connection, self._rows, [message], now)
        await self.log.stage(connection, [draft(event, vault, self.log.node)])

    def _message(
        self, shown: Stored, gate: Gate, vault: Vault, now: datetime, why: ToKeep
    ) -> NewMessage:
        """The very text of the checkpoint, and the keys of its log; nothing about anybody."""
        config = self.config
        assert config.audit.mail is not None  # noqa: S101 else nothing is due
        sender = next(iter(config.senders))
        checkpoint = shown.checkpoint
        data = {
            "checkpoint": shown.note,
            "keys": "\n".join(self._keys_of(shown)),
            "log": checkpoint.origin,
            "size": str(checkpoint.size),
            "day": f"{shown.published_at:%Y-%m-%d}",
        }
        return new_message(
            OurMail("checkpoint", {}, locale=config.audit.mail.language, data=data),
            vault,
            now,
            kind=MailKind.SERVICE,
            subject=gate.subject,
            purpose=kept_outside.PURPOSE,
            sender=sender,
            id_domain=config.senders[sender].dkim_domain,
            due_at=now,
            expires_at=now + LIFE,
            why=why,
        )

    def _keys_of(self, shown: Stored) -> Iterator[str]:
        """As `gateway audit keys` prints them."""
        for span in self.publisher.signers.spans(succession.generation_of(shown.place)):
            yield f"# from {span.start}" + ("" if span.end is None else f" until {span.end}")
            yield span.vkey

    async def let_go(self) -> int:
        """Forget mailboxes that were sent checkpoints and are not any more; returns how many.

        Who agreed to anything, has a stop or a hold, or waits for an answer stays for that.
        """
        async with self.data.read() as connection:
            eids = [one.eid for one in await mailed.newest(connection, self.log.macs, _BEFORE)]
            keepers = await mailed.keepers(connection, eids)
            known = await gates.peek(connection, {one.subject for one in keepers})
        vault = await self.keystore.vault(known)
        subjects = {one.subject for one in keepers if mailed.is_true(one, vault)}
        going = [one for one in sorted(subjects) if self._is_over(known.get(one), vault)]
        if not going:
            return 0
        async with self.data.begin() as connection:
            held = await gates.lock(connection, going)
            consents = await self.consents.of_subjects(connection, held)
            now = await self.clock.now(connection)
            kept = await still_needed.of(
                connection, self._rows, self.log.macs, held, consents, vault, now
            )
            free = [gate for subject, gate in held.items() if subject not in kept]
            over = [gate for gate in free if self._is_over(gate, vault)]
            await erasing.begin(self.log, connection, self._rows, self.lookup, None, over, now)
        return await self.eraser.finish([gate.subject for gate in over]) if over else 0

    def _is_over(self, gate: Gate | None, vault: Vault) -> bool:
        """Whether somebody who was sent checkpoints is sent none any more; *vault* is newer."""
        if gate is None or not gates.usable(gate, vault, *_KEYS):
            return False
        return not kept_outside.keeps(gate, vault, self.config.checkpoints_to)
