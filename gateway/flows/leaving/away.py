"""Somebody leaves what is not there just now: the log is told all the same.

Rows can be away, or somebody else's, for the moment of an answer. Whoever was told
that they left must not be mailed by the row that comes back: the event stands
after its last one, no act believes it any more, and `audit verify` names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from consent.history import STATES, History, left_at_large
from consent.model import State


@dataclass(frozen=True, slots=True)
class Away:
    """What somebody left, and no row of theirs tells of; without a consent: whatever there was."""

    consent: str | None
    purpose: str | None
    state: State = State.WITHDRAWN
    refs: Mapping[str, str] = field(default_factory=dict)


def by_purpose(
    known: History, purpose: str | None, there: Collection[str], handles: Collection[str]
) -> list[Away]:
    """What was left of *purpose* (None: of all) beside the consents that are *there*.

    *handles* are the purposes of which mails of theirs carry a link.
    """
    found = _of_standing(known, known.standing(purpose).keys() - set(there))
    untold = {one for one in handles if purpose in (None, one)} - known.confirmed
    if (untold or not known.whole) and not _said_last(known, purpose):
        found.append(Away(None, purpose))
    return found


def by_request(known: History, asked: Collection[str], there: Collection[str]) -> list[Away]:
    """What was left of the consents *asked* for by one mail beside those that are *there*.

    Where nothing tells any more what it asked for, the word is about everything.
    """
    if not asked:
        found = _of_standing(known, known.standing(None).keys() - set(there))
        return found if _said_last(known, None) else [*found, Away(None, None)]
    missing = set(asked) - set(there)
    untold = [Away(one, None) for one in sorted(missing - known.changes.keys())]
    return [*_of_standing(known, missing & known.standing(None).keys()), *untold]


def _of_standing(known: History, consents: Collection[str]) -> list[Away]:
    last = {one: known.changes[one][-1] for one in sorted(consents)}
    return [
        Away(one, event.facts["purpose"], _END[STATES[event.kind]], event.entry.refs)
        for one, event in last.items()
    ]


def _said_last(known: History, purpose: str | None) -> bool:
    """Whether the log heard it a moment ago: whoever repeats it tells nothing new."""
    said = left_at_large(known.told[-1]) if known.told else None
    return said is not None and said.purpose in (None, purpose)


_END = {State.PENDING: State.REJECTED, State.CONFIRMED: State.WITHDRAWN}
