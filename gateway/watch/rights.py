"""Rights requests that are due soon, as the operator is told: numbers, nobody's."""

from __future__ import annotations

from collections.abc import Iterator

from consent import rights_requests
from consent.rights_requests import Due
from gateway.config import calendars
from gateway.config.config import Config
from gateway.watch.findings import Finding, fail, ok, warn
from storage.clock import DatabaseClock
from storage.database import Database

_ABOUT = "rights requests"


async def about(database: Database) -> list[Finding]:
    """The doctor's findings."""
    async with database.read() as connection:
        now = await DatabaseClock().now(connection)
        due = await rights_requests.count_due(connection, now)
    return [*told(due)]


def told(due: Due) -> Iterator[Finding]:
    """What is due; nothing of that stops the gateway, so nothing of it fails."""
    fix = "answer them: GET /v1/rights-requests names them"
    if due.overdue:
        yield warn(_ABOUT, f"{due.overdue} overdue (Art. 12(3) GDPR)", fix)
    if due.soon:
        more = f"{fix}; what takes longer is extended before its date, and told"
        yield warn(_ABOUT, f"{due.soon} due within 7 days", more)
    if not due.overdue and not due.soon:
        yield ok(_ABOUT, f"{due.waiting} wait; none is due within 7 days")


def about_calendar(config: Config) -> Iterator[Finding]:
    """What due dates are counted by; a start refuses what is wrong."""
    rights = config.rights
    if problems := calendars.problems(rights):
        for problem in problems:
            yield fail("calendar", problem, "see [rights] in config.toml")
    elif rights.country is None:
        said = "knows no public holidays: due dates are put off by weekends alone"
        yield ok("calendar", said)
    else:
        named = "-".join(filter(None, (rights.country, rights.subdivision)))
        yield ok("calendar", f"due dates are put off by weekends and the holidays of {named}")
