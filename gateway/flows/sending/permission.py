"""May this purpose be mailed to this person now? Advice: the claim decides."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft, Event, Item, draft
from audit.kinds import Actor, Kind
from consent import facts, gates, policy, shares
from consent.address import Address
from consent.asked_about import AskedAbout, Asking
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
from consent.model import Granted, Reason, Refused
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class Question:
    """One person, by address or by subject, and one purpose."""

    purpose: str
    email: Address | None = None
    subject: str | None = None


Decision = Granted | Refused


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer, with the person's row where there is one, which nobody holds."""

    decision: Decision
    gate: Gate | None
    at: datetime  # by the database's clock

    def about(self, vault: Vault) -> str | None:
        """Whom an event may tell of with this answer; None where nobody is known, or no key."""
        return self.gate.subject if gates.usable(self.gate, vault, Compartment.EVIDENCE) else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the id of the key whose caller has it."""

    question: Question
    caller: str


async def ask_all(parts: Parts, asked: Sequence[Asked]) -> list[Decision]:
    """The permissions as they stand, once the log holds who looked: an event for each question.

    Who asks at the same time shares a statement. No gate is taken: who asks often must
    not keep anybody from leaving. Frequency caps are asked at the claim alone.
    """
    questions = [one.question for one in asked]
    async with parts.data.read() as connection:
        advised = await advise(parts, connection, questions, draw=len(asked))
    vault = await parts.keystore.vault(advised.subjects)
    told = _Told.of(asked, advised, vault, parts.log.node)
    async with parts.data.in_one() as connection:
        still = shares.while_live(told.subjects, advised.about.until)
        drawn = advised.about.drawn
        # Asked here: with SQLite nobody else writes until this is written.
        fresh = not advised.about.is_old
        if fresh and await parts.log.stage(connection, told.looks, drawn, still):
            return advised.decisions
    # An erasure is at one of them, and what is written after its end would tell of nobody. Or it
    # is long since they were asked about.
    async with parts.data.begin() as connection:
        known = await shares.look(connection, advised.subjects)
        advised = await advise(parts, connection, questions, among=known)
        told = _Told.of(asked, advised, vault, parts.log.node)
        await parts.log.stage(connection, told.looks)
    return advised.decisions


@dataclass(frozen=True, slots=True)
class _Told:
    """An event for each question, and everybody whom these are about."""

    looks: Sequence[Draft]
    subjects: Collection[str]

    @classmethod
    def of(cls, asked: Sequence[Asked], advised: Advised, vault: Vault, node: str) -> _Told:
        pairs = zip(asked, advised.advice, strict=True)
        events = [_look(one.question, given, vault, one.caller) for one, given in pairs]
        named = {item.subject for event in events for item in event.items if item.subject}
        return cls([draft(one, vault, node) for one in events], named)


def _look(question: Question, advice: Advice, vault: Vault, caller: str) -> Event:
    """Of nobody, too, there is one, with as many items: that somebody is known shows in none."""
    refused = advice.decision if isinstance(advice.decision, Refused) else None
    facts = {"purpose": question.purpose, "answer": refused.reason if refused else "granted"}
    item = Item(advice.about(vault), facts)
    refs = {"api_key": caller}
    return Event(Kind.PERMISSION_ASKED, Actor.API, advice.at, refs=refs, items=[item])


@dataclass(frozen=True, slots=True)
class Advised:
    """The answers in order, and what they were made from."""

    advice: Sequence[Advice]
    about: AskedAbout

    @property
    def decisions(self) -> list[Decision]:
        return [one.decision for one in self.advice]

    @property
    def subjects(self) -> set[str]:
        """Everybody who is known of those that were asked about."""
        return {one.gate.subject for one in self.advice if one.gate is not None}


async def advise(
    parts: Parts,
    connection: AsyncConnection,
    questions: Sequence[Question],
    *,
    among: Container[str] | None = None,
    draw: int = 0,
) -> Advised:
    """Answer; never a reason to send. Nothing is locked.

    An erasure that is finished before something about its person is written would leave what
    tells of nobody: write it `shares.while_live`, or share them before, and ask *among* those.
    """
    asking = Asking(parts.lookup, parts.consents, parts.clock)
    addresses = {one.email.canonical for one in questions if one.email is not None}
    named = {one.subject for one in questions if one.subject is not None}
    about = await asking.about(connection, addresses, named, draw=draw)
    known = {
        subject: gate for subject, gate in about.gates.items() if among is None or subject in among
    }
    found = [_meant(one, about.found) for one in questions]
    pairs = {
        (one.subject, question.purpose)
        for one, question in zip(found, questions, strict=True)
        if one is not None
    }
    now = about.at
    read = await facts.read(connection, parts.consents, known, pairs, now, theirs=about.consents)
    advice = []
    for one, question in zip(found, questions, strict=True):
        theirs = facts.UNKNOWN if one is None else read[one.subject, question.purpose]
        # Not theirs, as far as anybody can prove: what they permit says nothing of this address.
        doubted = one is not None and not one.honest
        decision = Refused(Reason.UNPROVEN) if doubted else policy.decide(theirs, now)
        if question.purpose not in parts.config.purposes:
            decision = Refused(Reason.PURPOSE_UNKNOWN)
        gate = known.get(one.subject) if one is not None else None
        advice.append(Advice(decision, gate, now))
    return Advised(advice, about)


async def find_subjects(
    connection: AsyncConnection, lookup: LookUp, questions: Sequence[Question]
) -> list[Found | None]:
    """The people who are meant, in order; one that was named is taken by the name."""
    asked = {one.email.canonical for one in questions if one.email is not None}
    found = await lookup.find(connection, asked)
    return [_meant(one, found) for one in questions]


def _meant(question: Question, found: Mapping[str, Found]) -> Found | None:
    if question.email is not None:
        return found.get(question.email.canonical)
    return None if question.subject is None else Found(question.subject)
