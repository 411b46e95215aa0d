"""What a person stops beside consents, and the way back: the row of the person, and the log's word.

A stop takes permission away whoever wrote it. To lift one grants again, so whoever
does asks the log first (`denied`): the row may be an old one that somebody put back.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import format_moment
from audit.kinds import Kind
from audit.trail import Told
from consent import gates
from consent.gates import Gate
from consent.stop_proofs import Lifted
from storage.honesty import RowKeys

_MOMENT = timedelta(minutes=1)
# An erasure that waits for a hold restricts.
_RESTRICTS = frozenset({Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_ERASURE_HELD})


async def restrict(connection: AsyncConnection, keys: RowKeys, held: Gate, since: datetime) -> None:
    """Keep somebody's data, and mail them nothing (Art. 18 GDPR)."""
    await gates.restate(connection, keys, [(held, replace(held, restricted_at=since))])


async def lift_restriction(connection: AsyncConnection, keys: RowKeys, held: Gate) -> None:
    """Only of a row that was asked about (`denied`): it is signed without the stop."""
    await gates.restate(connection, keys, [(held, replace(held, restricted_at=None))])


async def lift_objection(connection: AsyncConnection, keys: RowKeys, held: Gate) -> None:
    """As `lift_restriction`; what was queued to ask before the objection stays ended."""
    await gates.restate(connection, keys, [(held, replace(held, objected_at=None))])


def erasure_waits(told: Iterable[Told]) -> bool:
    """Whether somebody's erasure waits for a hold, by every event of a person who is not erased.

    What it restricted is not theirs to lift: nothing but the erasure ends it.
    """
    return any(event.kind is Kind.SUBJECT_ERASURE_HELD for event in told)


def said_just_now(told: Sequence[Told], kind: Kind, now: datetime) -> bool:
    """Whether the last that the log has of somebody is this stop, of a moment ago.

    Who repeats it tells nothing new. Of an older one nobody knows: a stop that was lifted may be
    back, with all that told of the lifting away.
    """
    last = told[-1] if told else None
    if last is None or last.kind is not kind:
        return False
    # One that is dated ahead was said before the clock was set back: nobody knows how long ago.
    return now - _MOMENT < last.entry.at <= now


@dataclass(frozen=True, slots=True)
class LiftedStops:
    """Which stops were lifted, and not said again after that."""

    restriction: bool = False
    objection: bool = False


def lifted_since(told: Iterable[Told], moment: datetime) -> LiftedStops:
    """What of a person was lifted from *moment* on, by every event of theirs in order."""
    found = LiftedStops()
    for event in (one for one in told if one.entry.at >= moment):
        if _lifts_restriction(event) or event.kind in _RESTRICTS:
            found = replace(found, restriction=_lifts_restriction(event))
        elif _lifts_objection(event) or event.kind is Kind.CONSENT_OBJECTED:
            found = replace(found, objection=_lifts_objection(event))
    return found


def objected_at(told: Iterable[Told]) -> datetime | None:
    """Since when an objection stands by the log, which has every event of the person in order."""
    since = None
    for event in told:
        if event.kind is Kind.CONSENT_OBJECTED:
            since = since or event.entry.at
        elif _lifts_objection(event):
            since = None
    return since


def denied(told: Iterable[Told], gate: Gate) -> Iterator[str]:
    """What of an honest row's restriction and objection the log tells otherwise.

    Give every event of the person, in order. A stop that no event tells of is none
    of these: who had no key at that moment left an event that names nobody.
    """
    events = list(told)
    for stop, at, begins, ends in (
        ("a restriction", gate.restricted_at, _RESTRICTS, _lifts_restriction),
        ("an objection", gate.objected_at, {Kind.CONSENT_OBJECTED}, _lifts_objection),
    ):
        stands, over = _heard(events, begins, ends)
        if stands and at is None:
            yield stop
        elif not stands and at is not None and format_moment(at) in over:
            yield f"the lifting of {stop}"


def _heard(
    events: Iterable[Told], begins: Container[Kind], ends: Callable[[Told], bool]
) -> tuple[bool, set[str]]:
    """Whether a stop stands by the log, and the moments of those that were lifted."""
    begun: set[str] = set()
    over: set[str] = set()
    for event in events:
        if event.kind in begins:
            begun.add(format_moment(event.entry.at))
        elif ends(event):
            over, begun = over | begun, set()
    return bool(begun), over


def _lifts_restriction(event: Told) -> bool:
    return event.kind is Kind.SUBJECT_UNRESTRICTED


def _lifts_objection(event: Told) -> bool:
    lifts = event.kind is Kind.SUPPRESSION_LIFTED
    return lifts and event.facts.get("stop") == Lifted.OBJECTION
