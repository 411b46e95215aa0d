"""What is held about a person is handed out: to them, or to who answers for the data.

The log says so before the answer, and under the gate, so that nothing is handed out
of somebody who was erased meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from audit.kinds import Actor, Kind
from consent import gates
from consent.evidence import Proof
from consent.keys.vault import Compartment
from consent.subject_evidence import Accessed, Exported
from consent.trail import Trail
from gateway.flows.desk.sitting import Operator
from gateway.flows.rights.dossier import Aside, Dossier, Dossiers
from gateway.parts import Parts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who gets it, and what the log says of that, once all but the answer is done."""

    kind: Kind
    actor: Actor
    says: Callable[[], Proof]
    refs: Mapping[str, str] = field(default_factory=dict)


def by_the_person(form: str, took: Callable[[], timedelta]) -> Asked:
    """By the person in their session, as *form*; *took* says how long since the request came."""
    return Asked(Kind.SUBJECT_EXPORTED, Actor.SUBJECT, lambda: Exported(form, took()))


def by_the_operator(why: str) -> Asked:
    """By whoever runs the gateway, at its command line."""
    return Asked(Kind.SUBJECT_ACCESSED, Actor.OPERATOR, lambda: Accessed(why))


def by_a_caller(caller: str, why: str) -> Asked:
    """By a program of who answers for the data, which says *why*."""
    refs = {"api_key": caller}
    return Asked(Kind.SUBJECT_ACCESSED, Actor.API, lambda: Accessed(why, caller=caller), refs)


def at_the_desk(operator: Operator, why: str) -> Asked:
    """By somebody at the desk, who said *why*: the log has their id, the person their name."""
    refs = {"operator": operator.id}
    said = Accessed(why, operator=operator.name)
    return Asked(Kind.SUBJECT_ACCESSED, Actor.OPERATOR, lambda: said, refs)


@dataclass(frozen=True, slots=True)
class HandingOut:
    """Collects, has written, and tells the log."""

    parts: Parts
    aside: Aside

    async def of(
        self,
        subject: str,
        asked: Asked,
        write: Callable[[Dossier], Awaitable[T]],
        *,
        as_paper: bool = False,
    ) -> T | None:
        """What *write* made of it; None, and nothing told, for who is not live."""
        dossiers = Dossiers(self.parts)
        dossier = await dossiers.collect(subject, self.aside, for_paper=as_paper)
        if dossier is None:
            return None
        written = await write(dossier)
        return written if await self.tell(subject, asked) else None

    async def tell(self, subject: str, asked: Asked) -> bool:
        """Say so in the log; False, and nothing said, for who is not live."""
        parts = self.parts
        vault = await parts.keystore.vault([subject])
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, [subject])
            now = await parts.clock.now(connection)
            if not gates.usable(held.get(subject), vault, Compartment.EVIDENCE):
                return False
            trail = Trail(parts.log, vault, held)
            said, refs = asked.says(), asked.refs
            trail.record(asked.kind, subject, asked.actor, now, evidence=said, refs=refs)
            await trail.stage(connection)
        return True
