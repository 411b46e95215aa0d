"""Consents beside what the log tells of them: rows that were put back or are gone, and their end.

An act that believes such a row writes the event that makes it fit. Acts ask first
(`consent.history`); where one did not, the order of the events tells it for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from audit.kinds import Kind
from audit.trail import Told
from consent import evidence, history, leavings
from consent.changes import EVENTS
from consent.consents import Consent
from consent.errors import StoredError
from consent.evidence import Requested
from consent.history import History
from consent.keys.vault import Compartment, Vault
from consent.model import State
from gateway.flows.proving.people import Known

CHANGED = "was changed by somebody else than the gateway"
_LEFT = {state: EVENTS[state] for state in (State.WITHDRAWN, State.REJECTED)}


def doubts(people: Iterable[Known], untold: Mapping[bytes, Kind], vault: Vault) -> Iterator[str]:
    """What speaks against the rows of these people's consents."""
    for known in people:
        yield from _of_one(known, untold, vault)


def _of_one(known: Known, untold: Mapping[bytes, Kind], vault: Vault) -> Iterator[str]:
    """Compare somebody's rows with the events about them, both of one moment.

    Who left while their key was missing left an event that names nobody. It
    stands for the row that it is the id of; that such a row was put back to what
    it was before shows in what the person's own row says (`leavings`).
    """
    told = History.of(known.told, known.gate.place, leavings.of(known.gate))
    for consent in known.consents:
        theirs = [event.eid for event in told.changes.get(consent.id, ())]
        if consent.state in _LEFT and untold.get(consent.eid) is _LEFT[consent.state]:
            theirs.append(consent.eid)
        doubt = _doubt(consent, theirs, keys=vault.has(consent.subject, Compartment.EVIDENCE))
        if doubt is None and told.left_since(consent):
            doubt = "stands, and its person left while it was away"
        if doubt is not None:
            yield f"consent {consent.id}: {doubt}"
    there = {consent.id: consent for consent in known.consents}
    for name, about in told.changes.items():
        if not history.possible([event.kind for event in about]):
            # A row that was put back got the event that makes it fit: it is told of for ever.
            yield f"consent {name}: the log tells of states that cannot follow each other"
        if name not in there and (history.must_be_there(about) or _asks_about(about[0], there)):
            yield f"consent {name}: the log tells of it, and its row is gone"


def _asks_about(event: Told, consents: Mapping[str, Consent]) -> bool:
    """Whether it is a question about a consent that stands: it stays, so that nobody asks twice."""
    try:
        said = evidence.read(event.kind, event.facts)
    except StoredError:
        return False
    about = consents.get(said.in_place_of or "") if isinstance(said, Requested) else None
    return about is not None and about.state is State.CONFIRMED


def _doubt(consent: Consent, eids: Sequence[bytes], *, keys: bool) -> str | None:
    """What speaks against a row, given the events of its states in their order."""
    if not consent.honest:
        return CHANGED
    if not keys:
        return None  # an erasure is on its way; without keys nothing can be sent
    if consent.eid not in eids:
        return "the event of its state is not in the log"
    return None if consent.eid == eids[-1] else "an old row was put back, or its state undone"
