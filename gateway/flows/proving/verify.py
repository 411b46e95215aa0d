"""Verifying the live log together with what rests on it: people, messages, rows that grant.

The log alone shows that no entry was altered. That rows say what events say, and
that none is missing, ties the tables to the log; a MAC says of every row that
grants something that a gateway wrote it. Memory does not grow with the number
of people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import strays, trail
from audit import verified as verified_log
from audit import verify as audit_verify
from audit.kinds import Kind
from audit.log import Log
from audit.report import Report, Since
from audit.trail import Told
from audit.verify import Progress
from consent import (
    address,
    address_links,
    erasures,
    feed,
    fresh_links,
    gates,
    holds,
    links,
    lookup,
    marks,
    paces,
    rights_requests,
    signed,
    specimens,
    taken_away,
    tellings,
)
from consent import people as removal
from consent.consents import Consent, Consents
from consent.keys import epochs, sets, verified
from consent.keys.keystore import KeyStore
from consent.keys.vault import OF_PEOPLE, Compartment, Vault
from delivery import campaigns, outbox, permits
from delivery.permits import Permit
from gateway.callers import api_keys, desk_exports, operators, visits
from gateway.flows.leaving import whereabouts
from gateway.flows.proving import campaigns as of_campaigns
from gateway.flows.proving import (
    changes,
    consent_proof,
    desk_rows,
    ended,
    forgotten,
    people,
    registry,
    rights,
    stories,
    takings,
    unread,
)
from gateway.flows.proving import holds as of_holds
from gateway.flows.proving.messages import Messages
from gateway.flows.proving.people import Known
from gateway.flows.sending import grounds
from gateway.parts import Parts
from storage import paging
from storage.database import Database
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.types import is_name

_AT_ONCE = 1000
# Consents are looked at with their events.
_OF_KEYS = (verified.SIGNED, epochs.SIGNED, sets.SIGNED)  # in the key store
_SIGNED = (
    signed.SUBJECT,
    signed.TIE,
    signed.HANDLE,
    signed.FRESH_LINK,
    signed.SESSION,
    lookup.LIVE,
    address_links.SIGNED,
    erasures.SIGNED,
    rights_requests.SIGNED,
    holds.SIGNED,
    paces.SIGNED,
    outbox.SIGNED,
    campaigns.SIGNED,
    taken_away.DUE,
    feed.SIGNED,
    tellings.SIGNED,
    api_keys.SIGNED,
    operators.SIGNED,
    desk_exports.SIGNED,
    visits.LINKS,
    visits.SESSIONS,
)
_MOST = 1000  # doubts that are told; the first is enough to fail
_GRANTS = (Kind.PERMIT_BATCH,)


@dataclass(frozen=True, slots=True)
class Verification:
    """The log's report, and what does not fit it in other tables, by id."""

    report: Report
    rows: Sequence[str]

    @property
    def ok(self) -> bool:
        return self.report.ok and not self.rows


async def verify(
    parts: Parts,
    held: Iterable[str] = (),
    progress: Progress | None = None,
    *,
    with_guard: bool = True,
    since: Since | None = None,
) -> Verification:
    """Check everything, while the gateway runs; changes nothing.

    Of the log what came behind *since*; of the rest all, for a row put back leaves nothing newer.

    Without the guard's store, of a copy that has none, what people took away is not compared.
    """

    await parts.publisher.learn(parts.data)
    report = await audit_verify.verify_live(
        parts.data,
        parts.guard,
        log=parts.log,
        verifier=parts.publisher.verifier,
        opener=parts.keystore.vault,
        ending=partial(_ending, parts.data, parts.rows),
        held=held,
        progress=progress,
        since=since,
    )
    signed_tables = _signed_tables(parts.lookup, parts.marks, parts.rows)
    rows: list[str] = []
    dropped_at = await takings.restored_at(parts.data, parts.log)
    of_messages, stores = parts.config.retention.messages, (parts.data, parts.keystore)
    messages = Messages(*stores, parts.rows, parts.clock, of_messages, dropped_at)
    kept, opened = parts.config.retention.rights_requests, (parts.rows, parts.log, parts.clock)
    beside = (
        forgotten.doubts(parts.data, parts.keystore, *opened, kept),
        rights.doubts(parts.data, *opened, kept),
        of_holds.doubts(parts.data, parts.rows, parts.log),
        changes.doubts(parts.data, *opened),
        desk_rows.doubts(parts.data, parts.keystore, *opened),
        of_campaigns.doubts(*stores, parts.rows, parts.log, parts.clock, of_messages),
        _doubts_of_rows(parts.key_database, [(one, parts.rows) for one in _OF_KEYS]),
        *(_doubts_of_takings(parts.data, parts.guard, parts.rows, parts.log) if with_guard else ()),
    )
    found_by, log = parts.lookup, parts.log
    async for doubt in _doubts(parts.consents, found_by, log, messages, signed_tables, beside):
        rows.append(doubt)
        if len(rows) == _MOST:
            break
    return Verification(report, rows)


async def _ending(data: Database, rows: RowKeys, subjects: Collection[str]) -> Collection[str]:
    """Whose keys may be gone although nobody tampered with anything."""
    async with data.read() as connection:
        known = await gates.peek(connection, subjects)
    return {subject for subject, gate in known.items() if gate.gone(rows)}


def _signed_tables(
    found_by: lookup.LookUp, left: marks.Marks, rows: RowKeys
) -> list[tuple[SignedTable, RowKeys]]:
    return [
        *((table, rows) for table in _SIGNED),
        (found_by.checkable(marks.SIGNED, "marks"), left.keys),
        (found_by.checkable(lookup.SIGNED), found_by.keys),
    ]


async def _doubts(
    consents: Consents,
    found_by: lookup.LookUp,
    log: Log,
    messages: Messages,
    signed_tables: Iterable[tuple[SignedTable, RowKeys]],
    beside: Iterable[AsyncIterator[str]],
) -> AsyncIterator[str]:
    data, keystore = messages.data, messages.keystore
    for doubts in (
        _doubts_of_orphans(data, keystore),
        _doubts_of_rows(data, signed_tables),
        registry.doubts(data, log),
        *beside,
        unread.doubts(data, consents.keys, log),
        ended.doubts(data, log, consents.keys, keystore.vault),
        _doubts_of_people(messages, consents, found_by),
        _doubts_of_permits(data, keystore),
        messages.doubts(),
    ):
        async for doubt in doubts:
            yield doubt


def _doubts_of_takings(
    data: Database, guard: Database, keys: RowKeys, log: Log
) -> Iterator[AsyncIterator[str]]:
    yield _doubts_of_rows(guard, [(taken_away.SIGNED, keys), (verified_log.SIGNED, keys)])
    yield takings.doubts(data, guard, keys, log)


async def _doubts_of_orphans(data: Database, keystore: KeyStore) -> AsyncIterator[str]:
    """What belongs to nobody, to no event, or to who was erased; rows whose names none can have."""
    async with data.snapshot() as connection:
        # In none of the pages below, as little as in those of signed tables.
        strange = await paging.strange(connection, signed.CONSENT.table, _AT_ONCE)
        strange += await paging.strange(connection, permits.permit, _AT_ONCE)
        unheard = await strays.of_no_event(connection, _AT_ONCE)
        orphans = await removal.orphans(connection, _AT_ONCE)
        astray = await lookup.astray(connection, _AT_ONCE)
    for row in [*strange, *await keystore.strange(_AT_ONCE)]:
        yield f"{row}: {stories.CHANGED}"
    for stray in unheard:
        yield f"{stray}: no event tells of it"
    for orphan in orphans:
        yield f"{orphan}: belongs to nobody, or is gone"
    for doubt in astray:
        yield doubt
    for subject, compartment in await keystore.back(_AT_ONCE):
        yield f"dek {subject}/{compartment}: was destroyed, and is back"


async def _doubts_of_rows(
    data: Database, signed_tables: Iterable[tuple[SignedTable, RowKeys]]
) -> AsyncIterator[str]:
    for table, keys in signed_tables:
        async for row in table.strangers(data, keys):
            yield f"{row}: {stories.CHANGED}"


async def _doubts_of_people(
    messages: Messages, consents: Consents, found_by: lookup.LookUp
) -> AsyncIterator[str]:
    data, keystore = messages.data, messages.keystore
    after: str | None = None
    while True:
        async with data.read() as connection:
            page = await gates.after(connection, after, _AT_ONCE)
        if not page:
            return
        vault = await keystore.vault(page)
        # Of one moment: a consent withdrawn between two statements would seem put back.
        async with data.snapshot() as connection:
            rows = await consents.of_subjects(connection, page)
            told = await trail.told(connection, page, frozenset(Kind), vault)
            since = await messages.links_since(connection)
            about = await _people(connection, page, rows, told, found_by, vault, since)
            named = {event.eid for event in told}
            missing = {one.eid for theirs in rows.values() for one in theirs} - named
            untold = await trail.untold(connection, missing)
            gone = await specimens.missing(connection, consent_proof.kept_of(told))
        missed = [f"specimen {name}: an event names it, and it is gone" for name in gone]
        for doubt in (*stories.doubts(about, untold, vault), *missed):
            yield doubt
        ours = [one for one in about if consents.vouches(one.gate)]
        live = [one for one in ours if one.gate.live]
        keyless = [one.gate.subject for one in live if not vault.has(one.gate.subject, *OF_PEOPLE)]
        destroyed = await keystore.erased(keyless)
        for one in live:
            for doubt in people.doubts(one, vault, destroyed):
                yield doubt
        for one in ours:
            for doubt in people.of_trail(one) if not one.gate.live else ():
                yield doubt
        after = page[-1]


async def _people(
    connection: AsyncConnection,
    subjects: Sequence[str],
    rows: Mapping[str, Sequence[Consent]],
    told: Sequence[Told],
    found_by: lookup.LookUp,
    vault: Vault,
    links_since: datetime,
) -> list[Known]:
    events: dict[str, list[Told]] = {}
    for event in told:
        events.setdefault(event.subject, []).append(event)
    handles = await links.with_handle(connection, subjects)
    spent = await fresh_links.spent_of(connection, subjects)
    pressed = await address_links.of_people(connection, subjects)
    peeked = await gates.peek(connection, subjects)
    mailboxes = {one: whereabouts.mailbox_of(gate, vault) for one, gate in peeked.items()}
    elsewhere = await found_by.elsewhere(
        connection, {one: address.recognised(box) for one, box in mailboxes.items() if box}
    )
    return [
        Known(
            gate,
            rows.get(subject, ()),
            events.get(subject, ()),
            handles,
            spent.get(subject, {}),
            pressed.get(subject, ()),
            subject in elsewhere,
            links_since,
        )
        for subject, gate in peeked.items()
    ]


async def _doubts_of_permits(data: Database, keystore: KeyStore) -> AsyncIterator[str]:
    after: str | None = None
    while True:
        async with data.read() as connection:
            page = await permits.after(connection, after, _AT_ONCE)
        if not page:
            return
        subjects = {permit.subject for permit in page if _is_readable(permit)}
        vault = await keystore.vault(subjects)
        async with data.snapshot() as connection:
            # Again, beside its events: an erasure may have taken both since.
            still = await permits.after(connection, after, _AT_ONCE)
            readable = [permit for permit in still if _is_readable(permit)]
            eids = {permit.eid for permit in readable}
            known = await gates.named(connection, {permit.subject for permit in readable})
            told = await trail.told_of_items(connection, eids, subjects, _GRANTS, vault)
        granted = {_granted(event) for event in told}
        for permit in still:
            if not _is_readable(permit):
                yield f"permit {permit.id}: no gateway can have written it"
            elif permit.subject not in known:
                yield f"permit {permit.id}: belongs to nobody"
            # What was granted meanwhile is left to the next verification.
            elif vault.has(permit.subject, Compartment.EVIDENCE) and _wanted(permit) not in granted:
                yield f"permit {permit.id}: no event in the log grants it"
            elif not grounds.fit(permit):
                yield f"permit {permit.id}: counts for other things than its ground does"
        after = page[-1].id


def _is_readable(permit: Permit) -> bool:
    """Whether its columns hold what they are for; SQLite keeps anything anywhere."""
    named = (permit.id, permit.message, permit.subject, permit.purpose)
    ground = (permit.ground_kind, permit.ground_id)
    eid: object = permit.eid
    return isinstance(eid, bytes) and all(map(is_name, (*named, *ground)))


_Grant = tuple[object, ...]


def _wanted(permit: Permit) -> _Grant:
    ground = {"kind": permit.ground_kind, "id": permit.ground_id}
    named = (permit.message, permit.attempt, permit.purpose)
    return _grant(permit.eid, permit.subject, *named, ground)


def _granted(event: Told) -> _Grant:
    facts = event.facts
    said = [facts.get(name) for name in ("message", "attempt", "purpose")]
    return _grant(event.eid, event.subject, *said, facts.get("ground") or {})


def _grant(eid: bytes, subject: str, *said: Any) -> _Grant:
    *named, ground = said
    return (eid, subject, *named, ground.get("kind"), ground.get("id"))
