"""What the log tells of mails that were permitted: each permit, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.kinds import Kind
from audit.within import ItemFound
from consent.model import GroundKind


@dataclass(frozen=True, slots=True)
class Transmission:
    """One permit, and the outcome that the log has for it; none while there is none."""

    permit: ItemFound
    outcome: ItemFound | None

    @property
    def attempt(self) -> int | None:
        found = self.permit.facts.get("attempt")
        return found if isinstance(found, int) else None

    @property
    def ground(self) -> tuple[str, str]:
        """Its kind and name."""
        found = self.permit.facts["ground"]
        return str(found["kind"]), str(found["id"])

    @property
    def purpose(self) -> str:
        return str(self.permit.facts.get("purpose"))


def permits_of(items: Iterable[ItemFound], message: str) -> list[ItemFound]:
    """Those that say that this message may go."""
    return [one for one in items if is_permit(one) and one.facts.get("message") == message]


def is_permit(one: ItemFound) -> bool:
    """Whether an item says that a message may go, rather than that it ended."""
    is_batch = one.of.entry.kind is Kind.PERMIT_BATCH
    return is_batch and isinstance(one.facts.get("ground"), dict)


def transmissions(items: Sequence[ItemFound], message: str) -> list[Transmission]:
    """The permits of a message in their order, each with its outcome."""
    ends = {
        one.facts.get("attempt"): one
        for one in sorted(items, key=_at)
        if one.of.entry.kind is Kind.DELIVERY_BATCH and one.facts.get("message") == message
    }
    permits = sorted(permits_of(items, message), key=_at)
    return [Transmission(one, ends.get(one.facts.get("attempt"))) for one in permits]


def rested_on(items: Sequence[ItemFound], consent: str) -> list[Transmission]:
    """Each permit whose ground is this consent, in their order, with its outcome. Pure."""
    ends = {
        _of(one): one for one in sorted(items, key=_at) if one.of.entry.kind is Kind.DELIVERY_BATCH
    }
    permits = sorted((one for one in items if is_permit(one)), key=_at)
    ground = (GroundKind.CONSENT, consent)
    sent = [Transmission(one, ends.get(_of(one))) for one in permits]
    return [one for one in sent if one.ground == ground]


def _of(item: ItemFound) -> tuple[object, object]:
    return item.facts.get("message"), item.facts.get("attempt")


def _at(item: ItemFound) -> datetime:
    return item.at
