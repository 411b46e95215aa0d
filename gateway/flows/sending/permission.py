"""May this purpose be mailed to this person now? Advice: the claim decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from consent import facts, gates, policy, shares
from consent.address import Address
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
from consent.model import Granted, Reason, Refused
from gateway.parts import Parts

Known = Callable[[AsyncConnection, Collection[str]], Awaitable[Mapping[str, Gate]]]


@dataclass(frozen=True, slots=True)
class Question:
    """One person, by address or by subject, and one purpose."""

    purpose: str
    email: Address | None = None
    subject: str | None = None


Decision = Granted | Refused


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer, with the person's row where there is one; nobody holds it as their gate."""

    decision: Decision
    gate: Gate | None
    at: datetime  # by the database's clock, once nobody who was known could be removed

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

    Who asks at the same time shares a transaction. No gate is taken: who asks often must
    not keep anybody from leaving. Frequency caps are asked at the claim alone.
    """
    questions = [one.question for one in asked]
    async with parts.data.read() as connection:
        found = await find_subjects(connection, parts.lookup, questions)
    vault = await parts.keystore.vault({one.subject for one in found if one is not None})
    async with parts.data.begin() as connection:
        advice = await advise(parts, connection, questions, found, known_by=shares.look)
        looks = [
            draft(_look(one.question, given, vault, one.caller), vault, parts.log.node)
            for one, given in zip(asked, advice, strict=True)
        ]
        await parts.log.stage(connection, looks)
    return [given.decision for given in advice]


def _look(question: Question, advice: Advice, vault: Vault, caller: str) -> Event:
    """Of nobody, too, there is one, with as many items: that somebody is known shows in none."""
    refused = advice.decision if isinstance(advice.decision, Refused) else None
    facts = {"purpose": question.purpose, "answer": refused.reason if refused else "granted"}
    item = Item(advice.about(vault), facts)
    refs = {"api_key": caller}
    return Event(Kind.PERMISSION_ASKED, Actor.API, advice.at, refs=refs, items=[item])


async def advise(
    parts: Parts,
    connection: AsyncConnection,
    questions: Sequence[Question],
    found: Sequence[Found | None] | None = None,
    *,
    known_by: Known = shares.share,
) -> list[Advice]:
    """Answer in order; never a reason to send. What this transaction writes of them goes with them.

    An erasure that finished between a look and its commit would leave what tells of nobody:
    *known_by* keeps it from that, and a look takes what touches no gate. For advice alone it is
    enough whom the questions meant a moment ago: *found*.
    """
    if found is None:
        found = await find_subjects(connection, parts.lookup, questions)
    subjects = [one.subject if one is not None else None for one in found]
    known = await known_by(connection, {one for one in subjects if one is not None})
    pairs = {
        (subject, question.purpose)
        for subject, question in zip(subjects, questions, strict=True)
        if subject is not None
    }
    now = await parts.clock.now(connection)
    read = await facts.read(connection, parts.consents, known, pairs, now)
    advice = []
    for one, question in zip(found, questions, strict=True):
        about = facts.UNKNOWN if one is None else read[one.subject, question.purpose]
        # Not theirs, as far as anybody can prove: what they permit says nothing of this address.
        doubted = one is not None and not one.honest
        decision = Refused(Reason.UNPROVEN) if doubted else policy.decide(about, now)
        if question.purpose not in parts.config.purposes:
            decision = Refused(Reason.PURPOSE_UNKNOWN)
        gate = known.get(one.subject) if one is not None else None
        advice.append(Advice(decision, gate, now))
    return advice


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
