"""People's own rows beside their events: stops, the place in the trail, keys, links."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit import canonical, histories
from audit.kinds import Kind
from audit.trail import Told
from consent import address_links, stops
from consent.consents import Consent
from consent.gates import Gate
from consent.keys.vault import OF_PEOPLE, Compartment, Vault
from consent.model import State
from gateway.flows.leaving import whereabouts
from gateway.flows.leaving.ending import said_not_me

# Confirmed once: by then they had a handle, which is kept for ever.
_WITH_HANDLE = (State.CONFIRMED, State.WITHDRAWN, State.EXPIRED)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one person, all of one moment but the keys, which are older."""

    gate: Gate
    consents: Sequence[Consent]
    told: Sequence[Told]  # every event about them that could be opened, in order
    handles: Mapping[tuple[str, str], bytes]  # by whose and for what: the hash of its link
    links: Mapping[str, datetime | None]  # fresh ones, and when each was spent
    pressed: Sequence[Any]  # rows of those about their address
    elsewhere: bool  # an address finds them that is not theirs
    links_since: datetime  # no link made from then on went by itself


def doubts(
    known: Known, vault: Vault, destroyed: Collection[tuple[str, Compartment]]
) -> Iterator[str]:
    """What speaks against the rows of a live person whose own row a gateway wrote."""
    subject = known.gate.subject
    yield from _of_keys(subject, vault, destroyed)
    for stop in _stops(known):
        yield f"subject {subject}: an old row was put back: the log tells of {stop}"
    yield from of_trail(known)
    yield from _of_links(known)
    yield from _of_ended(known)
    yield from _untold(known)
    if address_links.lives_elsewhere(whereabouts.mailbox_of(known.gate, vault), known.told):
        yield f"subject {subject}: an old row was put back: the log tells of another address"
    if known.elsewhere:
        yield f"subject_index of {subject}: an old row was put back: their address is another one"


def of_trail(known: Known) -> Iterator[str]:
    """What of the row speaks against the events, also where only locked evidence is left."""
    if not known.told:
        return
    if not _stands_where(known.gate, known.told[-1]):
        yield f"subject {known.gate.subject}: an old row was put back: its trail ends elsewhere"
    elif not histories.whole(known.told, known.gate.place):
        yield f"subject {known.gate.subject}: its trail was set back, or lacks events"


def _of_keys(
    subject: str, vault: Vault, destroyed: Collection[tuple[str, Compartment]]
) -> Iterator[str]:
    for compartment in OF_PEOPLE:
        if vault.has(subject, compartment):
            continue
        if (subject, compartment) in destroyed:
            yield f"subject {subject}: an old row was put back: they were erased"
        else:
            yield f"dek {subject}/{compartment}: is missing or damaged, and nobody was erased"


def _stops(known: Known) -> Iterator[str]:
    """What events say that stops mail, and the row does not."""
    kinds = {event.kind for event in known.told}
    yield from stops.denied(known.told, known.gate)
    if Kind.SUPPRESSION_ADDED in kinds and known.gate.suppressed is None:
        yield "a suppression"
    not_me = any(said_not_me(event) for event in known.told)
    if not_me and known.gate.asking_blocked_at is None:
        yield "a “not me”"


def _stands_where(gate: Gate, last: Told) -> bool:
    """Whether the row says that the trail ends with *last*."""
    ends = (last.facts["sseq"] + 1, canonical.encode(last.commitment))
    return (gate.place.length, gate.place.last) == ends


def _of_links(known: Known) -> Iterator[str]:
    subject = known.gate.subject
    confirmed = {e.facts["purpose"] for e in known.told if e.kind is Kind.CONSENT_CONFIRMED}
    for purpose in sorted(_left_by(known.consents) | confirmed):
        if (subject, purpose) not in known.handles:
            yield f"handle {subject}/{purpose}: its links are in mails, and its row is gone"
    for purpose in sorted(set(_replaced(known))):
        yield f"handle {subject}/{purpose}: is not the one that mails of before let leave by"
    opened = {event.facts.get("link"): event.entry.at for event in known.told}
    pressed = {row.id: row.spent_at for row in known.pressed}
    for table, links in (("fresh_link", known.links), ("address_link", pressed)):
        for link, spent_at in links.items():
            if _as_told(spent_at) != opened.get(link):
                yield f"{table} {link}: the log says otherwise when it was spent, or whether"


def _of_ended(known: Known) -> Iterator[str]:
    for row in known.pressed:
        at = address_links.ended_at(row, known.told)
        if at is not None and row.spent_at is None and (_as_told(row.expires_at) or at) > at:
            yield f"address_link {row.id}: an old row was put back: the log tells that it ended"


def _untold(known: Known) -> Iterator[str]:
    """Links of mails to the mailbox on file that are away, also if none of these went out."""
    there = {row.id for row in known.pressed}
    for event in known.told:
        name = event.facts.get("told")
        if name is not None and name not in there and event.entry.at >= known.links_since:
            yield f"address_link {name}: the log tells of its mail, and its row is gone"


def _as_told(at: datetime | None) -> datetime | None:
    """A moment of a row as entries have it: they count milliseconds."""
    return None if at is None else at.replace(microsecond=at.microsecond // 1000 * 1000)


def _left_by(consents: Sequence[Consent]) -> set[str]:
    """The purposes that mails were sent for, or may have been."""
    return {one.purpose for one in consents if one.honest and one.state in _WITH_HANDLE}


def _replaced(known: Known) -> Iterator[str]:
    """Purposes whose handle is another one than an event tells of, or was made in its place."""
    subject = known.gate.subject
    for event in known.told:
        if event.kind is Kind.CONSENT_CONFIRMED:
            purpose, told = event.facts["purpose"], event.facts.get("handle")
            stored = known.handles.get((subject, purpose))
            other = told is not None and stored is not None and stored.hex() != told
            if other or event.facts.get("handle_replaced"):
                yield purpose
