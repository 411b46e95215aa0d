"""The operator asks those anew who agreed to a wording that covers no mail any more.

Each becomes an ordinary request of its own, with its evidence, its token and its
mail, in one transaction under the person's gate. The request is also the record
that they were asked, so that whoever does it again, after a crash or beside
somebody else, asks nobody twice and leaves nobody out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from audit.rowmac import RowMacs
from consent import (
    address,
    changes,
    coverage,
    facts,
    gates,
    history,
    links,
    personal,
    re_permission,
    resting,
    service_mails,
    texts,
    wordings,
)
from consent.address import Address
from consent.consents import TABLE, Consent, Consents
from consent.coverage import Mailing
from consent.evidence import Requested
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Confirmation
from consent.policy import Facts
from consent.re_permission import Before, Unasked
from consent.resting import Named
from consent.service_mails import ServiceMail
from consent.sign_ups import RE_PERMISSION, RenderedBy
from consent.texts import Text
from consent.trail import Trail
from delivery import outbox
from delivery.outbox import NewMessage
from gateway.flows.bad_rows import each_for_itself
from gateway.flows.joining.asking import Replacing, asking_anew
from gateway.flows.joining.asking_limits import Asking, AskingKeys, AskingLimits
from gateway.parts import Parts
from storage.ids import ordered_id
from storage.locks import keep_out

_AT_ONCE = 50  # sign-ups wait for the count of mails meanwhile
_CLIENT = "texts ask-again"
_KEYS = (Compartment.PROFILE, Compartment.EVIDENCE)  # the mail is sealed, and the request told of
ASKED = "asked"


class Unaskable(StrEnum):
    """Why nobody can be asked anew about a wording."""

    NOT_FOUND = "not_found"
    COVERS = "covers"  # mails are permitted under it
    NOTHING_NOW = "nothing_now"  # the configuration has no such purpose
    NOT_PUBLISHED = "not_published"  # what the configuration has was not started with yet


@dataclass(frozen=True, slots=True)
class Question:
    """What was agreed to, and what is asked for in its place, by language."""

    before: Text
    now: Mapping[str, Text]
    sender: str  # as whom it is asked

    def text(self, locale: str) -> Text:
        """In the person's language, where there is one."""
        return self.now.get(locale) or self.now[min(self.now)]


async def question(
    connection: AsyncConnection, mailing: Mailing, macs: RowMacs, text: str
) -> Question | Unaskable:
    """What to ask those whose consents rest on *text*.

    As the sender whom they agreed to, where that is one of ours still: what asks
    must not come from somebody whom they never heard of.
    """
    known = await texts.list_texts(connection)
    before = next((one for one in known if one.hash == text), None)
    if before is None:
        return Unaskable.NOT_FOUND
    sender = mailing.sender_of(before.purpose)
    if sender is None:
        return Unaskable.NOTHING_NOW
    same = await wordings.declared_same(connection, macs)
    if not mailing.lacks(before.bundle, sender, same):
        return Unaskable.COVERS
    current = {one.locale: one for one in known if one.current and one.purpose == before.purpose}
    if not current or any(mailing.lacks(one.bundle, sender, same) for one in current.values()):
        return Unaskable.NOT_PUBLISHED
    return Question(before, current, mailing.sender_meant(before.bundle) or sender)


@dataclass
class AskingAnew:
    """How far it has come; whoever begins it again goes on with those who were not asked.

    Mails become due one after another, *apart* from each other, so that those
    that ask whoever signs up meanwhile do not stand in line behind all of them.
    With *dry* everybody is looked at and nobody is asked.
    """

    parts: Parts
    question: Question
    apart: timedelta
    dry: bool = False
    after: str = ""
    counted: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    _next_at: datetime | None = None

    async def some(self) -> bool:
        """Look at the next ones; False behind the last.

        Those for whom it cannot be decided are in no count: their rows were altered,
        or a store is not what it should be; the log says so.
        """
        parts, began = self.parts, monotonic()
        async with parts.data.read() as connection:
            page = await resting.after(
                connection, self.question.before.hash, self.after, _AT_ONCE, waiting=False
            )
        if not page:
            return False
        self.after = page[-1].consent
        rows = {one.consent: one for one in page}
        for some in await each_for_itself(parts.data, parts.clock, TABLE, rows, self._ask):
            self.counted.update(some)
        self.seen += len(page)
        # As long again: whoever signs up meanwhile waits for the same lock.
        await asyncio.sleep(monotonic() - began)
        return True

    async def _ask(self, named: Sequence[Named]) -> list[str]:
        """Ask these in one transaction; for each that was asked, and why the others were not."""
        parts = self.parts
        subjects = {one.subject for one in named}
        vault = await parts.keystore.vault(subjects)
        weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
        keys = AskingKeys(parts.keyring.suppression, weekly, parts.config.limits.enabled)
        async with parts.data.begin() as connection:
            # Mails to a mailbox are counted by one at a time.
            await keep_out(connection, "intake")
            held = await gates.lock(connection, subjects)
            now = await parts.clock.now(connection)
            people = await _people(
                connection, parts.consents, parts.log.macs, held, vault, named, now
            )
            askings = [Asking(one.email) for one in people if one.email is not None]
            ours = parts.lookup.held()
            limits = await AskingLimits.read(connection, keys, askings, now)
            # Else a mailbox may have said no that is named by a key that we lack.
            await parts.lookup.require_still(connection, ours)
            batch = _Batch(
                self,
                limits,
                Trail(parts.log, vault, held),
                vault,
                now,
                next_at=max(now, self._next_at or now),
            )
            told = [batch.ask(one) for one in people]
            await batch.write(connection)
        self._next_at = batch.next_at
        return told


@dataclass(frozen=True, slots=True)
class Told:
    """What became of those whose consents rest on a wording."""

    asked: int
    unasked: Mapping[str, int]  # by why
    left: int  # for whom it could not be decided

    @classmethod
    def of(cls, asking: AskingAnew) -> Told:
        unasked = {why: n for why, n in sorted(asking.counted.items()) if why != ASKED}
        asked, decided = asking.counted[ASKED], asking.counted.total()
        return cls(asked, unasked, asking.seen - decided)


@dataclass(frozen=True, slots=True)
class _Person:
    """Who may be asked, about which consent, and what they were asked about it before."""

    facts: Facts
    about: Consent
    before: Sequence[Before]
    email: Address | None = field(repr=False)  # none: it cannot be opened


async def _people(
    connection: AsyncConnection,
    consents: Consents,
    macs: RowMacs,
    held: Mapping[str, Gate],
    vault: Vault,
    named: Sequence[Named],
    now: datetime,
) -> list[_Person]:
    """Read under their gates: who answered or left since the page was read is seen as they are.

    Without those of whom the log tells otherwise than their row: an old one that was put
    back would have somebody mailed who left.
    """
    stored = await consents.get(connection, [one.consent for one in named])
    told = await history.read(connection, macs, held, vault, stored.values())
    rows = {
        name: one
        for name, one in stored.items()
        if one.subject in told and told[one.subject].vouches(one)
    }
    pairs = {(one.subject, one.purpose) for one in rows.values()}
    read = await facts.read(connection, consents, held, pairs, now)
    theirs = {
        pair: [one for one in about.consents if isinstance(one, Consent) and one.anew]
        for pair, about in read.items()
    }
    hashes = {one.text_hash for asked in theirs.values() for one in asked}
    known = await texts.get(connection, hashes)
    return [
        _Person(
            read[one.subject, one.purpose],
            one,
            _before(one, theirs[one.subject, one.purpose], known),
            _email(held.get(one.subject), vault),
        )
        for one in rows.values()
    ]


def _before(about: Consent, asked: Sequence[Consent], known: Mapping[str, Text]) -> list[Before]:
    """The questions that were put since *about* was decided."""
    since = about.decided_at or about.requested_at
    return [
        Before(one.requested_at, coverage.asked(text.bundle) if text is not None else None)
        for one in asked
        if one.requested_at >= since
        for text in [known.get(one.text_hash)]
    ]


def _email(gate: Gate | None, vault: Vault) -> Address | None:
    mailbox = personal.open_mailbox(gate, vault) if gates.usable(gate, vault, *_KEYS) else None
    return None if mailbox is None else address.parse(mailbox)


@dataclass
class _Batch:
    """Whom one transaction asks."""

    asking: AskingAnew
    limits: AskingLimits
    trail: Trail
    vault: Vault
    now: datetime
    next_at: datetime
    requests: list[Consent] = field(default_factory=list)
    stops: list[ServiceMail] = field(default_factory=list)
    mails: list[tuple[Confirmation, NewMessage]] = field(default_factory=list)

    def ask(self, one: _Person) -> str:
        """Say that somebody is asked, or why not."""
        text = self.asking.question.text(one.about.locale)
        asks = coverage.asked(text.bundle)
        why = re_permission.why_not(one.facts, one.about.id, asks, one.before, self.now)
        if why is not None:
            return why
        if one.email is None:
            return Unasked.UNREADABLE
        if self.limits.is_blocked(one.email):
            return Unasked.BLOCKED
        if not self.limits.allow_anew(Asking(one.email), self.now):
            return Unasked.LIMITED
        if not self.asking.dry:
            self._request(one.about, one.email, text)
            self.next_at += self.asking.apart
        return ASKED

    def _request(self, about: Consent, email: Address, text: Text) -> None:
        config, question = self.asking.parts.config, self.asking.question
        asked = changes.request(
            about.subject,
            _evidence(ordered_id("con", self.now), about, email, text, self.now),
            self.trail,
            self.now,
            # Not from now: who is asked last has as long to answer as who is asked first.
            lapses_at=self.next_at + re_permission.ANSWER_WITHIN,
            answers=None,
            actor=Actor.OPERATOR,
        )
        stop, row = self.limits.stop(about.subject, email)
        replacing = Replacing(text, question.before, question.sender)
        mail = asking_anew(config, asked, replacing, self.vault, self.now, self.next_at, stop)
        self.requests.append(asked)
        self.stops.append(row)
        self.mails.append(mail)

    async def write(self, connection: AsyncConnection) -> None:
        consents = self.asking.parts.consents
        keys = consents.keys
        if not self.requests:
            return
        await consents.add(connection, self.requests)
        await self.limits.store(connection, self.now)
        await links.add_confirmations(connection, keys, [one for one, _ in self.mails], self.now)
        await service_mails.add(connection, self.stops, self.now)
        await outbox.enqueue(connection, keys, [mail for _, mail in self.mails], self.now)
        await self.trail.stage(connection)


def _evidence(name: str, about: Consent, email: Address, text: Text, now: datetime) -> Requested:
    """What proves the request: who asked whom for what, and in the place of which consent."""
    return Requested(
        consent=name,
        purpose=about.purpose,
        text=text.hash,
        address_typed=email.typed,
        address=email.canonical,
        received_at=now,
        form=RE_PERMISSION,
        form_digest=None,
        page_url=None,
        rendered_by=RenderedBy.MAIL,
        client=_CLIENT,
        locale=about.locale,
        profile={},
        in_place_of=about.id,
    )
