"""Operators, their links and sessions, beside what the log tells of them; and their keys.

That a gateway wrote these rows, a MAC says. That one is missing, or an old one was put back
whole, only the log shows: who was revoked, which link was spent, which session was left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence

from audit import trail
from audit.entry import Entry, format_moment
from audit.kinds import Kind
from audit.log import Log
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from gateway.callers import operators, visits
from gateway.callers.operators import Altered, Member
from gateway.callers.visits import DeskLink, Visit
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_ENDS = (Kind.OPERATOR_REVOKED, Kind.OPERATOR_FORGOTTEN)
_VISITS = (Kind.OPERATOR_SIGNED_IN, Kind.OPERATOR_SIGNED_OUT)


async def doubts(
    data: Database, keystore: KeyStore, keys: RowKeys, log: Log, clock: Clock
) -> AsyncIterator[str]:
    """Name what does not fit; rows that no gateway wrote are named elsewhere."""
    async with data.snapshot() as connection:
        rows = await operators.listed(connection, keys)
        told = await trail.happenings(connection, log.macs, operators.STATES)
        links, sessions = await visits.kept(connection, keys)
        moments = [one.created_at for one in links] + [one.opened_at for one in sessions]
        since = min(moments, default=await clock.now(connection))
        visited = await trail.happenings(connection, log.macs, _VISITS, since)
    last = {one.refs.get("operator", ""): one for one in told}
    revoked = {name for name, one in last.items() if one.kind in _ENDS}
    for doubt in (*compare(last, rows), *compare_visits(links, sessions, visited, revoked)):
        yield doubt
    async for doubt in _of_keys(keystore, rows):
        yield doubt


def compare(last: Mapping[str, Entry], rows: Sequence[Member | Altered]) -> Iterator[str]:
    """Compare the rows with the last event of each operator."""
    for one in rows:
        if one.id not in last:
            yield f"operator {one.id}: no event tells that they were entered"
        elif isinstance(one, Member) and one.eid != last[one.id].eid:
            yield f"operator {one.id}: an old row was put back: the log tells otherwise"
    for name in sorted(last.keys() - {one.id for one in rows}):
        yield f"operator {name}: the log tells of them, and their row is gone"


def compare_visits(
    links: Iterable[DeskLink],
    sessions: Iterable[Visit],
    visited: Iterable[Entry],
    revoked: Collection[str],
) -> Iterator[str]:
    """Compare links with what the log tells of their spending, sessions with their ends."""
    by_kind: dict[Kind, dict[str, str]] = {kind: {} for kind in _VISITS}
    for event in visited:
        by_kind[event.kind][event.refs.get("link", "")] = format_moment(event.at)
    spent, left = (by_kind[kind] for kind in _VISITS)
    for link in links:
        if link.operator in revoked:
            yield f"operator_link {link.id}: an old row was put back: its operator was revoked"
        elif spent.get(link.id) != (link.spent_at and format_moment(link.spent_at)):
            yield f"operator_link {link.id}: the log says otherwise when it was spent, or whether"
    for session in sessions:
        if session.link in left or session.operator in revoked:
            name = session.id_hash.hex()
            yield f"operator_session {name}: an old row was put back: the log tells of its end"


async def _of_keys(keystore: KeyStore, rows: Iterable[Member | Altered]) -> AsyncIterator[str]:
    ours = [one for one in rows if isinstance(one, Member) and one.identity is not None]
    vault = await keystore.vault([one.id for one in ours])
    for one in ours:
        if not vault.has(one.id, Compartment.STAFF):
            yield f"dek {one.id}/staff: is missing or damaged, and nobody was forgotten"
        elif operators.identity_of(one, vault) is None:
            yield f"operator {one.id}: who that is does not open"
