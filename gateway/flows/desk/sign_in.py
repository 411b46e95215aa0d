"""A link to the desk: asked for by anybody, sent only to the mailbox of an operator.

Whoever asks is answered before anybody looks whose address it is (`fresh_link.accept`). The
mail goes as every mail goes, to somebody on file: where nobody is by that address, the mailbox
is, without a consent, until the operator is revoked. The link is the operator's all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.log import Log
from consent import fresh_links, gates, intakes, kept_outside, personal
from consent.address import Address
from consent.consents import Consents
from consent.fresh_links import LINK_LIFE, FreshLink
from consent.gates import Gate, Newcomer
from consent.intakes import Intake, IntakeKind
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
from consent.marks import Marks
from delivery import outbox
from delivery.outcome import Kind as MailKind
from gateway.callers import operators, visits
from gateway.callers.operators import Altered, Member
from gateway.config.config import Config
from gateway.flows.bad_rows import Busy, each_for_itself
from gateway.flows.desk.staff import identities
from gateway.flows.leaving import whereabouts
from gateway.flows.opening import opened
from gateway.flows.rights import erasing, fresh_link, still_needed
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToOpen
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import ordered_id, random_id
from storage.locks import keep_out, try_alone

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE: Final = "service.desk"
AT_ONCE: Final = 50
# Links to one mailbox within the life of one: nobody is to flood it with them, nor, by asking for
# so many, to keep its operator without one that works.
MOST: Final = 5
_WITHIN: Final = visits.MAILED_LIFE
_KEYS: Final = (Compartment.PROFILE, Compartment.EVIDENCE)


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
    marks: Marks
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
        said = await opened(self.keystore, waiting, intakes.open_fresh_links)
        theirs = await self._known()
        # By the address that they were entered with: what a stranger typed is sent nowhere.
        asked = {one.canonical for one in said.values()} & theirs.keys()
        async with self.data.read() as connection:
            found = await self.lookup.find(connection, asked)
        to = {canonical: _to(theirs[canonical], found.get(canonical)) for canonical in asked}
        fresh = [one.subject for one in to.values() if one.found is None]
        await self.keystore.create(fresh, self.clock.wall())
        vault = await self.keystore.vault([one.subject for one in to.values()])
        async with self.data.begin() as connection:
            # As whoever else admits people does.
            if not await try_alone(connection, "intake"):
                raise Busy
            there = await intakes.lock(connection, [one.id for one in waiting])
            # Before the marks: whose mailbox it is holds theirs while they leave.
            await gates.lock(connection, {one.subject for one in found.values()})
            now = await self.clock.now(connection)
            rows = [one for one in waiting if one.id in there]
            still = await fresh_link.standing(connection, self.marks, self.lookup, rows, said, now)
            # Several at once, in the name of one mailbox, are one.
            due = {one.canonical for one in still.values()} & to.keys()
            for canonical in sorted(due, key=lambda one: to[one].subject):
                await self._send(connection, to[canonical], vault)
            await intakes.remove(connection, sorted(there))
        return len(waiting)

    async def _known(self) -> dict[str, _Theirs]:
        """Who stands, by address: few, and opened one by one, so nobody finds them by a hash."""
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
            standing = operators.standing(rows, await operators.ended(connection, self.log.macs))
        gone = await self.keystore.sessions.revoked(standing)
        standing = {one: row for one, row in standing.items() if one not in gone}
        vault = await self.keystore.vault(standing)
        over = {one.mailbox for one in _ours(rows) if one.id not in standing} - {None}
        known: dict[str, _Theirs] = {}
        for one, identity in identities(standing.values(), vault).items():
            known.setdefault(identity.email.canonical, _Theirs(one, identity.email, over))
        return known

    async def _send(self, connection: AsyncConnection, to: _To, vault: Vault) -> None:
        reached = await self._reach(connection, to, vault)
        if reached is None:
            return
        one, gate = reached
        now = await self.clock.now(connection)
        if await visits.mailed(connection, one.id, now - _WITHIN) >= MOST:
            return
        token, link = visits.new_link(one.id, now, gate.subject)
        await visits.add(connection, self.rows, link)
        # What the mail rests on: it ends when the mailbox is another one, or forgotten.
        carried = FreshLink(link.id, link.token_hash, gate.subject, now, link.expires_at)
        ours = OurMail(
            "desk",
            links={"desk": url_of(self.config, token)},
            locale=gate.locale,
            # Whoever writes rows may have the person be at another mailbox when it is sent.
            only_to=to.email.canonical,
        )
        await self._enqueue(connection, ours, carried, vault)

    async def probe(self, email: Address) -> str | None:
        """Queue a mail that carries nothing to an operator's mailbox, and return its message.

        None where nobody who stands has that mailbox, or it is not to be mailed. It goes as
        the mail with a link does, and its own link was told to nobody: it opens nothing.
        """
        theirs = (await self._known()).get(email.canonical)
        if theirs is None:
            return None
        async with self.data.read() as connection:
            found = await self.lookup.find(connection, [email.canonical])
        to = _to(theirs, found.get(email.canonical))
        if to.found is None:
            await self.keystore.create([to.subject], self.clock.wall())
        vault = await self.keystore.vault([to.subject])
        async with self.data.begin() as connection:
            await keep_out(connection, "intake")
            reached = await self._reach(connection, to, vault)
            if reached is None:
                return None
            subject, now = reached[1].subject, await self.clock.now(connection)
            unknown, until = secrets.token_bytes(32), now + LINK_LIFE
            carried = FreshLink(ordered_id("lnk", now), unknown, subject, now, until)
            ours = OurMail("probe", links={}, locale=reached[1].locale, only_to=to.email.canonical)
            return await self._enqueue(connection, ours, carried, vault)

    async def _reach(
        self, connection: AsyncConnection, to: _To, vault: Vault
    ) -> tuple[Member, Gate] | None:
        """An operator who stands, and their mailbox, held; None where it is not to be mailed."""
        if to.found is not None and not to.found.honest:
            return None  # nobody knows whose mailbox that is
        gate = await self._gate(connection, to, vault)
        one = await operators.lock(connection, self.rows, to.operator)
        if not isinstance(one, Member) or one.revoked_at is not None:
            return None
        if gate is None or not gates.usable(gate, vault, *_KEYS):
            return None
        if not whereabouts.may_be_at(gate, vault, to.email):
            return None  # it would go to whatever mailbox is theirs now
        if to.for_it_alone and one.mailbox != gate.subject:
            await operators.write(connection, self.rows, replace(one, mailbox=gate.subject))
        return one, gate

    async def _gate(self, connection: AsyncConnection, to: _To, vault: Vault) -> Gate | None:
        """The mailbox's row, held; it is made where nobody is known by that address."""
        if to.found is not None:
            return (await gates.lock(connection, [to.subject])).get(to.subject)
        sealed = personal.seal_mailbox(to.subject, to.email.mailbox, vault)
        language = next(iter(self.config.locales), "en")
        new = [Newcomer(to.subject, to.email.canonical, sealed, language)]
        now = self.clock.wall()
        return (await gates.admit(connection, self.rows, self.lookup, new, now)).get(to.subject)

    async def _enqueue(
        self, connection: AsyncConnection, ours: OurMail, link: FreshLink, vault: Vault
    ) -> str:
        """Queue a mail that rests on *link*; no word in it comes from whoever asked."""
        await fresh_links.add(connection, self.rows, [link])
        sender = next(iter(self.config.senders))
        message = new_message(
            ours,
            vault,
            link.created_at,
            kind=MailKind.SERVICE,
            subject=link.subject,
            purpose=PURPOSE,
            sender=sender,
            id_domain=self.config.senders[sender].dkim_domain,
            due_at=link.created_at,
            expires_at=link.expires_at,
            why=ToOpen(link.id),
        )
        await outbox.enqueue(connection, self.rows, [message], link.created_at)
        return message.id

    async def let_go(self) -> int:
        """Forget mailboxes that were on file for operators alone who are none any more.

        Who agreed to anything, has a stop or a hold, or waits for an answer stays for that;
        returns how many went.
        """
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
            standing = operators.standing(rows, await operators.ended(connection, self.log.macs))
            kept = {one.mailbox for one in standing.values()}
            over = {one.mailbox for one in _ours(rows) if one.id not in standing} - kept
            known = await gates.peek(connection, {one for one in over if one is not None})
        vault = await self.keystore.vault(known)
        going = [one for one, gate in known.items() if self._is_over(gate, vault)]
        if not going:
            return 0
        async with self.data.begin() as connection:
            held = await gates.lock(connection, going)
            consents = await self.consents.of_subjects(connection, held)
            now = await self.clock.now(connection)
            needed = await still_needed.of(
                connection, self.rows, self.log.macs, held, consents, vault, now
            )
            free = [gate for one, gate in held.items() if one not in needed]
            gone = [gate for gate in free if self._is_over(gate, vault)]
            await erasing.begin(self.log, connection, self.rows, self.lookup, None, gone, now)
        return await self.eraser.finish([gate.subject for gate in gone]) if gone else 0

    def _is_over(self, gate: Gate, vault: Vault) -> bool:
        """Whether nothing else keeps a mailbox on file; *vault* is newer."""
        if not gates.usable(gate, vault, *_KEYS):
            return False
        return not kept_outside.keeps(gate, vault, self.config.checkpoints_to)


def url_of(config: Config, token: str) -> str:
    """Where a link to the desk leads."""
    return f"{config.server.public_url}/dpo/link/{token}"


@dataclass(frozen=True, slots=True)
class _Theirs:
    """An operator, their address, and the mailboxes that were on file for those who are none."""

    operator: str
    email: Address
    over: Collection[str | None]


@dataclass(frozen=True, slots=True)
class _To:
    """Whom a link goes to; *found* is None where the mailbox was not on file yet."""

    operator: str
    email: Address
    subject: str
    found: Found | None
    for_it_alone: bool


def _to(theirs: _Theirs, found: Found | None) -> _To:
    subject = random_id("sub") if found is None else found.subject
    alone = found is None or subject in theirs.over
    return _To(theirs.operator, theirs.email, subject, found, alone)


def _ours(rows: Iterable[Member | Altered]) -> list[Member]:
    return [one for one in rows if isinstance(one, Member)]
