"""What cannot be worked off, as the operator is told: how much, of what, why, and the way out.

Rows are worked off by flows, which park them under these words (`gateway/flows/bad_rows.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import intakes
from gateway.watch.findings import Finding, ok, warn
from storage import bad_rows
from storage.bad_rows import Standing
from storage.database import Database


class Why(StrEnum):
    """Why a row is parked; the outbox has the same words, behind `parked_`."""

    ALTERED = "altered"  # it, or its person's row, is not what a gateway wrote
    ATTEMPTS = "attempts"
    KEY_MISSING = "key_missing"
    PURPOSE_UNKNOWN = "purpose_unknown"  # not in the configuration any more
    WORDING_MISSING = "wording_missing"  # it is not what its hash says, or gone
    SENDER_UNKNOWN = "sender_unknown"
    OCCASION_UNKNOWN = "occasion_unknown"
    HANDLE_MISSING = "handle_missing"
    FAILED = "failed"  # an error, which the log names
    UNREADABLE = "unreadable"  # of types and sizes that no gateway writes; passed over


_VERIFY = "run `gateway audit verify`; treat it as an intrusion until you know"
_WAY_OUT: Mapping[str, str] = {
    Why.ALTERED: _VERIFY,
    Why.ATTEMPTS: _VERIFY,
    Why.KEY_MISSING: "restore the key store",
    Why.PURPOSE_UNKNOWN: "put the purpose back into the configuration, on every node",
    Why.WORDING_MISSING: "restart a process: it puts back what the configuration has; else restore",
    Why.SENDER_UNKNOWN: "put the sender back into the configuration, on every node",
    Why.OCCASION_UNKNOWN: "finish the upgrade",
    Why.HANDLE_MISSING: "run `gateway audit verify`; restore the data",
    Why.FAILED: "the log lines row_failed and outcome_failed name error and place",
    Why.UNREADABLE: _VERIFY,
}
_TABLES = frozenset(
    {"intake", "outbox", "campaign", "change", "consent", "subject", "permit", "erasure"}
)
_OTHER = "other"


async def look(connection: AsyncConnection) -> list[Standing]:
    """What is parked, by table and reason."""
    unreadable = await intakes.unreadable(connection)
    found = told(await bad_rows.standing(connection))
    return [*found, *_unreadable(unreadable)]


def told(found: Sequence[Standing]) -> list[Standing]:
    """In words of ours alone: whoever writes rows must not choose what a metric says."""
    counted: dict[tuple[str, str], Standing] = {}
    for one in found:
        table = one.table if one.table in _TABLES else _OTHER
        reason = one.reason if one.reason in _WAY_OUT else Why.FAILED
        before = counted.get((table, reason))
        rows, since = one.rows, one.since
        if before is not None:
            rows, since = rows + before.rows, min(filter(None, (since, before.since)), default=None)
        counted[table, reason] = Standing(table, reason, rows, since)
    return list(counted.values())


def _unreadable(rows: int) -> list[Standing]:
    return [Standing(intakes.NAME, Why.UNREADABLE, rows, None)] if rows else []


async def about(database: Database) -> list[Finding]:
    """The doctor's findings."""
    async with database.read() as connection:
        found = await look(connection)
    if not found:
        return [ok("parked", "nothing is: every row can be worked off")]
    return [warn("parked", _said(one), way_out(one.reason)) for one in found]


def _said(one: Standing) -> str:
    since = f", since {one.since:%Y-%m-%d %H:%M} UTC" if one.since else ""
    return f"{one.rows} of {one.table}: {one.reason}{since}"


def way_out(reason: str) -> str:
    """What an operator does about it; then rows go on by themselves, at once after a restart."""
    return _WAY_OUT[reason]
