"""Verifying the live log together with what rests on it: consents and permits.

The log alone shows that no entry was altered. That a consent says what its last
event says, and that every permit has an event, ties the tables to the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import verify as audit_verify
from audit.kinds import Kind
from audit.report import Report
from audit.verify import Progress
from consent.consents import Consent
from delivery import permits
from gateway.parts import Parts

_AT_ONCE = 1000
_STATE_KINDS = frozenset(
    {
        Kind.CONSENT_REQUESTED,
        Kind.CONSENT_CONFIRMED,
        Kind.CONSENT_REJECTED,
        Kind.CONSENT_WITHDRAWN,
        Kind.CONSENT_LAPSED,
        Kind.CONSENT_EXPIRED,
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The log's report, and what does not fit it in other tables, by id."""

    report: Report
    rows: Sequence[str]

    @property
    def ok(self) -> bool:
        return self.report.ok and not self.rows


@dataclass
class _Last:
    """The last event of each consent, as the log tells it."""

    of: dict[str, bytes] = field(default_factory=dict)

    def note(self, kind: Kind, eid: bytes, _subject: str | None, facts: Mapping[str, Any]) -> None:
        if kind in _STATE_KINDS and "consent" in facts:
            self.of[facts["consent"]] = eid


async def verify(
    parts: Parts, held: Iterable[str] = (), progress: Progress | None = None
) -> Verdict:
    """Check everything, while the gateway runs; changes nothing."""
    last = _Last()
    report = await audit_verify.verify_live(
        parts.data,
        parts.guard,
        log=parts.log,
        vkey=parts.publisher.vkey,
        opener=parts.keystore.vault,
        held=held,
        on_payload=last.note,
        progress=progress,
    )
    rows = [*await _consents(parts, last, report.size), *await _permits(parts)]
    return Verdict(report, rows)


async def _consents(parts: Parts, last: _Last, size: int) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        async with parts.data.read() as connection:
            page = await parts.consents.after(connection, after, _AT_ONCE)
            if not page:
                return found
            found += await _doubts(parts, connection, page, last, size)
        after = page[-1].id


async def _doubts(
    parts: Parts, connection: AsyncConnection, page: Sequence[Consent], last: _Last, size: int
) -> list[str]:
    missing = await audit_verify.missing_eids(connection, [one.eid for one in page])
    doubts = []
    for one in page:
        if not one.honest:
            doubts.append(f"consent {one.id}: was changed by somebody else than the gateway")
        elif one.eid in missing:
            doubts.append(f"consent {one.id}: the event of its state is not in the log")
        elif one.id in last.of and last.of[one.id] != one.eid:
            proof = await parts.log.inclusion(connection, one.eid, size)
            if proof is not None:  # else it changed after the verification began
                doubts.append(f"consent {one.id}: an old row was put back, or its state undone")
    return doubts


async def _permits(parts: Parts) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        async with parts.data.read() as connection:
            page = await permits.after(connection, after, _AT_ONCE)
            missing = await audit_verify.missing_eids(connection, [eid for _, eid in page])
        if not page:
            return found
        found += [f"permit {one}: its event is not in the log" for one, e in page if e in missing]
        after = page[-1][0]
