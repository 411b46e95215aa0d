"""The link of a confirmation mail: look, confirm, "this was not me", ask again.

Nothing else writes "confirmed" than the spending of such a token.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import (
    address,
    answers,
    facts,
    gates,
    links,
    personal,
    policy,
    taken_away,
    texts,
    tokens,
)
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.links import Confirmation
from consent.model import Reason, Refused, State
from consent.policy import Facts
from consent.sign_ups import SWITCHED_ON, Asked, SignUp
from consent.taken_away import TakingAway
from consent.texts import Text
from consent.trail import Trail
from delivery.permit_wait import PermitWait
from delivery.permits import Open
from gateway.flows.joining import sign_up
from gateway.flows.joining.answering import Act, Choice, Declaration, waiting
from gateway.flows.joining.contested import Visitor, visitor
from gateway.flows.leaving import asking_kept_out, same_mailbox
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.limits import Wait
from gateway.parts import Parts
from gateway.takings import Takings
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

log = structlog.get_logger()


class _Meant(NamedTuple):
    """Who is: by a "not me" others too, for no mailbox is asked again under another spelling."""

    people: set[str]
    asking: set[str]  # there whether somebody's mails shall go there


async def _meant(
    connection: AsyncConnection, boxes: SameMailbox, vault: Vault, subject: str, now: datetime
) -> _Meant:
    there = await same_mailbox.of_people(connection, vault, [(subject, None)])
    sharing = await boxes.sharing(connection, there)
    asking = await boxes.asking(connection, there, now)
    return _Meant({subject} | sharing, asking - sharing - {subject})


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request, for the page."""

    consents: Sequence[Consent]
    texts: Mapping[str, Text]  # by hash; one that somebody altered is missing
    answers: Mapping[str, str] = field(repr=False)  # to correct, of what waits
    refusals: Mapping[str, Reason]  # by consent: why it permits no mail, or would not
    expired: bool
    contested: bool  # what waits may say what somebody else said: see `contested`
    now: datetime

    @property
    def anew(self) -> bool:
        """Whether the operator asked: what was agreed to before is not so any more."""
        return any(consent.anew for consent in self.consents)


async def look(parts: Parts, token: str, network: str | None) -> Seen | None:
    """What a token asks who comes from *network*; None for one that nobody has. Changes nothing."""
    opened = await _open(parts.data, parts.rows, parts.keystore, token)
    if opened is None:
        return None
    who = await visitor(parts.keystore, network, parts.clock.wall(), must_compare=False)
    view = _View(parts.consents, parts.clock, parts.config.purposes.keys(), *opened, who)
    async with parts.data.read() as connection:
        return await view.seen(connection)


async def _open(
    data: Database, rows: RowKeys, keystore: KeyStore, token: str
) -> tuple[Confirmation, Vault] | None:
    """What a token asks for, with the keys of whom it asks."""
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with data.read() as connection:
        found = await links.confirmation(connection, rows, digest)
    return None if found is None else (found, await keystore.vault([found.subject]))


async def _open_to_answer(
    data: Database,
    clock: Clock,
    rows: RowKeys,
    keystore: KeyStore,
    boxes: SameMailbox,
    token: str,
    said: Declaration,
) -> tuple[Confirmation, Vault] | None:
    """As `_open`, with the keys of whom the answer is meant for.

    Before any gate is held: whoever holds it keeps claims and withdrawals waiting.
    """
    opened = await _open(data, rows, keystore, token)
    if opened is None or said is not Declaration.REJECT:
        return opened
    found, vault = opened
    async with data.read() as connection:
        now = await clock.now(connection)
        meant = await _meant(connection, boxes, vault, found.subject, now)
    return found, await keystore.vault(meant.people | meant.asking)


@dataclass(frozen=True, slots=True)
class _View:
    """How a request is looked at."""

    consents: Consents
    clock: Clock
    purposes: Collection[str]  # of the configuration
    found: Confirmation
    vault: Vault
    visitor: Visitor

    async def seen(self, connection: AsyncConnection) -> Seen:
        rows = await self.consents.get(connection, self.found.consents)
        named = [rows[name] for name in self.found.consents if name in rows]
        now = await self.clock.now(connection)
        asked = await self.consents.with_cover(connection, named, now)
        known = await texts.get(connection, {consent.text_hash for consent in asked})
        held = await gates.peek(connection, [self.found.subject])
        pairs = {(consent.subject, consent.purpose) for consent in asked}
        read = await facts.read(connection, self.consents, held, pairs, now)
        refused = (
            (consent.id, self._refusal(read[consent.subject, consent.purpose], consent, now))
            for consent in asked
        )
        # The answers that wait with what can still be confirmed, as they may be shown.
        waits = [
            consent
            for consent in asked
            if consent.id in self.found.honest and policy.confirm(consent, now) is not None
        ]
        contested = await self._is_contested(connection, waits, held, now)
        entered = [waiting(one, self.vault, contested=contested) for one in waits]
        return Seen(
            asked,
            known,
            answers={name: one for said in entered for name, one in answers.entered(said).items()},
            refusals={name: reason for name, reason in refused if reason is not None},
            expired=self.found.expires_at <= now,
            contested=contested,
            now=now,
        )

    async def _is_contested(
        self,
        connection: AsyncConnection,
        waits: Sequence[Consent],
        held: Mapping[str, Gate],
        now: datetime,
    ) -> bool:
        """What the operator asked says nothing of anybody's, and neither does what is settled."""
        if all(consent.anew for consent in waits):
            return False
        gate = held.get(self.found.subject)
        digest = self.found.token_hash
        return await self.visitor.is_contested(connection, digest, gate, self.vault, now)

    def _refusal(self, about: Facts, consent: Consent, now: datetime) -> Reason | None:
        if consent.purpose not in self.purposes:
            return Reason.PURPOSE_UNKNOWN
        if policy.effective_state(consent, now) is not State.CONFIRMED:
            return policy.hindrance(about, consent)
        decided = policy.decide(about, now)
        return decided.reason if isinstance(decided, Refused) else None


async def _hold(
    connection: AsyncConnection,
    clock: Clock,
    boxes: SameMailbox,
    found: Confirmation,
    vault: Vault,
    said: Declaration,
) -> tuple[dict[str, Gate], set[str]]:
    """The gates of who is meant, and who asks there: theirs are held, too."""
    meant = _Meant({found.subject}, set())
    if said is Declaration.REJECT:
        now = await clock.now(connection)
        asked = [(found.subject, None)]
        await asking_kept_out.of_people(connection, boxes.suppression, vault, asked, now)
        meant = await _meant(connection, boxes, vault, found.subject, now)
    together = await gates.lock(connection, meant.people | meant.asking)
    if found.subject not in together:  # away for a moment: what is answered now would not hold
        raise StorageAway("data")
    held = {one: gate for one, gate in together.items() if one in meant.people}
    return held, meant.asking & together.keys()


async def answer(
    parts: Parts, token: str, said: Declaration, choice: Choice, network: str | None
) -> Seen | None:
    """Spend a token; repeating it grants nothing more and shows what became of it.

    Confirming acts on what is pending: what the *choice* leaves out is rejected, and the answers
    are those of this request, as corrected. "Not me" rejects what is pending, withdraws what was
    confirmed through the same request, and is final: it returns only when nothing for them can
    start any more. Said to what was asked anew, it also ends what that was to replace; declining
    does so too, and keeps nobody from asking.
    """
    boxes = SameMailbox(parts.keyring.suppression, parts.lookup)
    stores = (parts.data, parts.clock, parts.rows, parts.keystore)
    opened = await _open_to_answer(*stores, boxes, token, said)
    if opened is None:
        return None
    found, vault = opened
    confirms = said is Declaration.CONFIRM
    who = await visitor(parts.keystore, network, parts.clock.wall(), must_compare=confirms)
    view = _View(parts.consents, parts.clock, parts.config.purposes.keys(), found, vault, who)
    still_open: Open | None = {}
    async with parts.data.begin() as connection:
        held, asking = await _hold(connection, parts.clock, boxes, found, vault, said)
        # Only now: a link that ran out while the lock was waited for confirms nothing any more.
        seen = await view.seen(connection)
        gate = held[found.subject]
        act = Act(
            connection,
            consents=parts.consents,
            purposes=parts.config.purposes,
            suppression_keys=boxes.suppression,
            gate=gate,
            others=[other for other in held.values() if other.subject != found.subject],
            asking=asking,
            vault=vault,
            found=found,
            wordings=seen.texts.keys(),
            contested=seen.contested,
            trail=Trail(parts.log, vault, held, parts.rows),
            macs=parts.log.macs,
            permit_ttl=parts.config.delivery.permit_ttl,
            now=seen.now,
            choice=choice,
        )
        if not gate.gone(parts.rows) and not seen.expired:
            still_open = await act.done(said)
            seen = await view.seen(connection)
        elif not confirms:  # whoever says no is answered when nothing can start
            still_open = await act.say_again(said)
        taken = await _taken(connection, parts.rows, said, found.subject)
    await _until_it_holds(parts.takings, parts.permit_wait, taken, still_open)
    return seen


async def _until_it_holds(
    takings: Takings,
    permit_wait: PermitWait,
    taken: Sequence[TakingAway],
    still_open: Open | None,
) -> None:
    await takings.tell(taken)
    if still_open is None:
        raise StorageAway("data")
    # With no connection held: the permits that it waits for are spent by others, who need one.
    await permit_wait.until_over(still_open)


async def _taken(
    connection: AsyncConnection, keys: RowKeys, said: Declaration, subject: str
) -> list[TakingAway]:
    """What the guard's store must hear of before the answer: nothing of whoever confirms."""
    if said is Declaration.CONFIRM:
        return []
    return await taken_away.due_of(connection, keys, [subject])


async def ask_again(parts: Parts, token: str, network: str | None) -> Wait | None:
    """The button on an expired page: the same sign-up once more, through the same door.

    None, or how long to wait, as `sign_up.accept` answers.

    Silent where the texts were retired or the token is nobody's.
    """
    async with parts.data.read() as connection:
        # Before anything is looked at: who leaves after this has left from what is asked here.
        looked_at = await parts.clock.now(connection)
    opened = await _open(parts.data, parts.rows, parts.keystore, token)
    if opened is None:
        return None
    found, vault = opened
    view = _View(
        parts.consents, parts.clock, parts.config.purposes.keys(), found, vault, Visitor(network)
    )
    async with parts.data.read() as connection:
        seen = await view.seen(connection)
        gate = (await gates.peek(connection, [found.subject])).get(found.subject)
        valid = await texts.valid(connection)
    if any(consent.text_hash not in seen.texts for consent in seen.consents):
        log.error("wording_missing")
        raise StorageAway("data")  # not silent: the mail that the page promises would never come
    asked = tuple(Asked(c.purpose, c.text_hash) for c in seen.consents if c.text_hash in valid)
    if not asked or not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    mailbox = personal.open_mailbox(gate, vault)
    if mailbox is None:
        return None
    # Who asks now is the mailbox, also where the operator asked before.
    form = SWITCHED_ON if seen.anew else seen.consents[0].form
    locale = seen.consents[0].locale
    mailbox_on_file = address.parse(mailbox)
    again = SignUp(form, mailbox_on_file, locale, asked, client="expired-link", by_link=True)
    return await sign_up.accept(parts, again, network, looked_at)
