"""May this purpose be mailed to this person now? Advice: the claim decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import facts, gates, policy
from consent.address import Address
from consent.gates import Gate
from consent.keys import blind
from consent.model import Granted, Reason, Refused
from gateway.parts import Parts
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Question:
    """One person, by address or by subject, and one purpose."""

    purpose: str
    email: Address | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer, with the person's gate where there is one; nothing is locked."""

    decision: Granted | Refused
    gate: Gate | None


async def ask(parts: Parts, question: Question) -> Granted | Refused:
    """The permission as it stands; frequency caps are asked at the claim alone."""
    async with parts.data.read() as connection:
        (advice,) = await advise(parts, connection, [question])
    return advice.decision


async def advise(
    parts: Parts, connection: AsyncConnection, questions: Sequence[Question]
) -> list[Advice]:
    """Answer in order; never a reason to send."""
    subjects = await find_subjects(connection, parts.keyring.lookup.secret, questions)
    known = await gates.peek(connection, {one for one in subjects if one is not None})
    pairs = {
        (subject, question.purpose)
        for subject, question in zip(subjects, questions, strict=True)
        if subject is not None
    }
    now = await parts.clock.now(connection)
    found = await facts.read(connection, parts.consents, known, pairs, now)
    advice = []
    for subject, question in zip(subjects, questions, strict=True):
        about = facts.UNKNOWN if subject is None else found[subject, question.purpose]
        decision = policy.decide(about, now)
        if question.purpose not in parts.config.purposes:
            decision = Refused(Reason.PURPOSE_UNKNOWN)
        advice.append(Advice(decision, known.get(subject) if subject is not None else None))
    return advice


async def find_subjects(
    connection: AsyncConnection, key: Secret, questions: Sequence[Question]
) -> list[str | None]:
    """The subjects that are meant, in order; *key* is that of the blind index."""
    indexes = [
        blind.blind_index(key, one.email.canonical) if one.email is not None else None
        for one in questions
    ]
    found = await gates.find(connection, _given(indexes))
    return [
        one.subject if index is None else found.get(index)
        for one, index in zip(questions, indexes, strict=True)
    ]


def _given(indexes: Iterable[bytes | None]) -> set[bytes]:
    return {one for one in indexes if one is not None}
