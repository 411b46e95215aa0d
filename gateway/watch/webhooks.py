"""Who is told of what happened and has not acknowledged it, as the operator is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tellings
from consent.tellings import Behind, Trouble
from gateway.watch.findings import Finding, ok, warn
from gateway.watch.numbers import counted
from storage.clock import DatabaseClock
from storage.database import Database

_ABOUT = "webhooks"
_SOON = timedelta(minutes=10)  # a receiver may be restarted
OTHER = "other"


async def look(connection: AsyncConnection, named: Collection[str]) -> list[Behind]:
    """Who is behind; of those that the configuration does not name, all together."""
    found = await tellings.behind(connection)
    ours = {
        one.webhook: replace(one, why=await tellings.last_failure(connection, one.webhook))
        for one in found
        if one.webhook in named
    }
    gone = [one for one in found if one.webhook not in named]
    if not gone:
        return list(ours.values())
    # Whoever writes rows must not choose what a metric says.
    changes, tries = sum(one.changes for one in gone), max(one.tries for one in gone)
    since = min(one.since for one in gone)
    return [*ours.values(), Behind(OTHER, changes, since, tries)]


async def about(database: Database, named: Collection[str]) -> list[Finding]:
    """The doctor's findings."""
    async with database.read() as connection:
        now = await DatabaseClock().now(connection)
        found = await look(connection, named)
    return [*told(found, named, now)]


def told(found: Sequence[Behind], named: Collection[str], now: datetime) -> Iterator[Finding]:
    """Who is behind; none of that stops the gateway, so none of it fails."""
    late = [one for one in found if one.webhook == OTHER or one.since <= now - _SOON]
    for one in late:
        yield warn(_ABOUT, said(one), _fix(one))
    if named and not late:
        yield ok(_ABOUT, f"{counted(len(named), 'receiver')} told of what happens")


def said(one: Behind) -> str:
    """One receiver, in one line."""
    waits = counted(one.changes, "change")
    why = "" if one.why is None else f": {_in_words(one.why)}"
    return (
        f"{one.webhook} has not acknowledged {waits}, the first of"
        f" {one.since:%Y-%m-%d %H:%M} UTC{why}"
    )


_TROUBLES = {
    Trouble.UNREACHABLE: "nobody listens there",
    Trouble.UNKNOWN_NAME: "its host has no address",
    Trouble.CERTIFICATE: "its certificate is not trusted",
    Trouble.TIMEOUT: "it does not answer within ten seconds",
    Trouble.HUNG_UP: "it hangs up",
    Trouble.OTHER: "the connection fails",
}


def _in_words(why: str) -> str:
    if why in _TROUBLES:
        return _TROUBLES[Trouble(why)]
    number = why.removeprefix("status ")
    return f"it answers {number}" + (", and redirects lead nowhere" if number[0] == "3" else "")


def _fix(one: Behind) -> str:
    if one.webhook == OTHER:
        return "put the receivers that were taken out of [webhooks] back, or tell them by hand"
    return "see that it runs, takes our signature and answers 2xx within ten seconds"
