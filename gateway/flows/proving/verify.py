"""Verifying the live log together with what rests on it: consents and permits.

The log alone shows that no entry was altered. That a consent says what its last
event says, and that every permit has an event, ties the tables to the log.
Memory does not grow with the number of people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit import trail
from audit import verify as audit_verify
from audit.kinds import Kind
from audit.report import Report
from audit.trail import Told
from audit.verify import Progress
from consent import evidence, gates
from consent.changes import EVENTS
from consent.consents import Consent
from consent.errors import StoredError
from consent.keys.vault import Compartment, Vault
from consent.model import State
from delivery import permits
from delivery.permits import Permit
from gateway.flows.sending import grounds
from gateway.parts import Parts

_AT_ONCE = 1000
_MOST = 1000  # doubts that are told; the first is enough to fail
_STATE_KINDS = frozenset(EVENTS.values())
_LEFT = {state: EVENTS[state] for state in (State.WITHDRAWN, State.REJECTED)}
# A request that came to nothing may be forgotten; what was decided goes with its facts.
_DECIDED = frozenset(kind for state, kind in EVENTS.items() if state.decided)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The log's report, and what does not fit it in other tables, by id."""

    report: Report
    rows: Sequence[str]

    @property
    def ok(self) -> bool:
        return self.report.ok and not self.rows


async def verify(
    parts: Parts, held: Iterable[str] = (), progress: Progress | None = None
) -> Verdict:
    """Check everything, while the gateway runs; changes nothing."""

    async def ending(subjects: Collection[str]) -> Collection[str]:
        async with parts.data.read() as connection:
            known = await gates.peek(connection, subjects)
        return {one for one, gate in known.items() if not gate.live}

    report = await audit_verify.verify_live(
        parts.data,
        parts.guard,
        log=parts.log,
        vkey=parts.publisher.vkey,
        opener=parts.keystore.vault,
        ending=ending,
        held=held,
        progress=progress,
    )
    rows: list[str] = []
    async for doubt in _doubts(parts):
        rows.append(doubt)
        if len(rows) == _MOST:
            break
    return Verdict(report, rows)


async def _doubts(parts: Parts) -> AsyncIterator[str]:
    async with parts.data.read() as connection:
        strangers = await parts.consents.of_nobody(connection, _AT_ONCE)
    for one in strangers:
        yield f"consent {one}: belongs to nobody"
    async for doubt in _consents(parts):
        yield doubt
    async for doubt in _permits(parts):
        yield doubt


async def _consents(parts: Parts) -> AsyncIterator[str]:
    after = ""
    while True:
        async with parts.data.read() as connection:
            page = await gates.after(connection, after, _AT_ONCE)
        if not page:
            return
        known = [one for one in page if _is_word(one)]
        vault = await parts.keystore.vault(known)
        async with parts.data.snapshot() as connection:
            rows = await parts.consents.of_subjects(connection, known)
            told = await trail.told(connection, known, _STATE_KINDS, vault)
            consents = {one.id: one for part in rows.values() for one in part}
            missing = {one.eid for one in consents.values()} - {one.eid for one in told}
            untold = await trail.untold(connection, missing)
        for doubt in _compare(consents, _Events(told, untold), vault):
            yield doubt
        after = page[-1]


@dataclass(frozen=True, slots=True)
class _Events:
    """What the log says of some people's consents.

    Who left while their key was missing left an event that names nobody. It
    stands for the row that it is the id of; that such a row was put back to what
    it was before shows in no event.
    """

    told: Sequence[Told]
    untold: Mapping[bytes, Kind]


def _compare(consents: Mapping[str, Consent], said: _Events, vault: Vault) -> Iterator[str]:
    """Compare rows with the events about them, both of one moment."""
    events: dict[str, list[Told]] = {}
    for event in said.told:
        for consent in _concerned(event):
            events.setdefault(consent, []).append(event)
    for one in consents.values():
        theirs = [event.eid for event in events.get(one.id, ()) if event.subject == one.subject]
        if one.state in _LEFT and said.untold.get(one.eid) is _LEFT[one.state]:
            theirs.append(one.eid)
        doubt = _doubt(one, theirs, keys=vault.has(one.subject, Compartment.EVIDENCE))
        if doubt is not None:
            yield f"consent {one.id}: {doubt}"
    for gone in events.keys() - consents.keys():
        if events[gone][-1].kind in _DECIDED:
            yield f"consent {gone}: the log tells of it, and its row is gone"


def _concerned(event: Told) -> Sequence[str]:
    """The consents that an event is about; of none where no release wrote its facts."""
    try:
        said = evidence.read(event.kind, event.facts)
    except StoredError:
        return ()
    return () if said is None else said.consents


def _doubt(one: Consent, eids: Sequence[bytes], *, keys: bool) -> str | None:
    """What speaks against a row, given the events of its states in their order."""
    if not one.honest:
        return "was changed by somebody else than the gateway"
    if not keys:
        return None  # an erasure is on its way; without keys nothing can be sent
    if one.eid not in eids:
        return "the event of its state is not in the log"
    return None if one.eid == eids[-1] else "an old row was put back, or its state undone"


async def _permits(parts: Parts) -> AsyncIterator[str]:
    after = ""
    while True:
        async with parts.data.read() as connection:
            page = await permits.after(connection, after, _AT_ONCE)
        if not page:
            return
        subjects = {one.subject for one in page if _is_readable(one)}
        vault = await parts.keystore.vault(subjects)
        async with parts.data.snapshot() as connection:
            # Again, beside its events: an erasure may have taken both since.
            still = await permits.after(connection, after, _AT_ONCE)
            readable = [one for one in still if _is_readable(one)]
            eids = {one.eid for one in readable}
            known = await gates.named(connection, {one.subject for one in readable})
            told = await trail.told_of_items(connection, eids, subjects, Kind.PERMIT_BATCH, vault)
        granted = {_granted(one) for one in told}
        for one in still:
            if not _is_readable(one):
                yield f"permit {one.id}: no gateway can have written it"
            elif one.subject not in known:
                yield f"permit {one.id}: belongs to nobody"
            # What was granted meanwhile is left to the next verification.
            elif vault.has(one.subject, Compartment.EVIDENCE) and _wanted(one) not in granted:
                yield f"permit {one.id}: no event in the log grants it"
            elif not grounds.fit(one):
                yield f"permit {one.id}: counts for other things than its ground does"
        after = page[-1].id


def _is_readable(one: Permit) -> bool:
    """Whether its columns hold what they are for; SQLite keeps anything anywhere."""
    words = (one.id, one.message, one.subject, one.purpose, one.ground_kind, one.ground_id)
    eid: object = one.eid
    return isinstance(eid, bytes) and all(map(_is_word, words))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


_Grant = tuple[object, ...]


def _wanted(one: Permit) -> _Grant:
    ground = {"kind": one.ground_kind, "id": one.ground_id}
    return _grant(one.eid, one.subject, one.message, one.attempt, one.purpose, ground)


def _granted(one: Told) -> _Grant:
    facts = one.facts
    said = [facts.get(name) for name in ("message", "attempt", "purpose")]
    return _grant(one.eid, one.subject, *said, facts.get("ground") or {})


def _grant(eid: bytes, subject: str, *said: Any) -> _Grant:
    *named, ground = said
    return (eid, subject, *named, ground.get("kind"), ground.get("id"))
