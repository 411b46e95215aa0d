"""The next states of messages that somebody holds: written in groups, and counted by campaign.

What would wait stands still where its campaign does: whoever steers one holds its row
(`delivery.campaigns.lock_to_steer`) before any of its messages, and nobody here waits for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Integer, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import campaigns, tally
from delivery.outbox import FINAL, MOST_TRIES, Status, outbox
from delivery.tally import Counts, Standing
from storage import straight
from storage.types import Moment, among, texts
from storage.writing import update_all

# Signed by nobody, for it changes with every try: whatever stands there must fail no statement
# that counts on.
_TRIES = case((outbox.c.tries.between(0, MOST_TRIES), outbox.c.tries), else_=MOST_TRIES)

_NAMED = among(outbox.c.id, texts("messages"))
_NOW = bindparam("now", type_=Moment())
_END = (
    update(outbox)
    .where(_NAMED)
    .values(
        status=bindparam("to"),
        reason=bindparam("why"),
        owner=None,
        tries=_TRIES + bindparam("tried", type_=Integer),
        ended_at=_NOW,
    )
)
_TRIED = select(outbox.c.id, _TRIES.label("tries")).where(_NAMED)


@dataclass(frozen=True, slots=True)
class Change:
    """A locked message's next state; a lease ends with it."""

    message: str
    status: Status
    reason: str | None = None
    due_at: datetime | None = None
    tried: bool = False


async def change(connection: AsyncConnection, changes: Sequence[Change], now: datetime) -> None:
    """Write the next state of messages that the caller has locked.

    Those of a campaign are counted; and one that would wait stands still where its campaign does.
    """
    stood = await tally.standing(connection, [c.message for c in changes])
    await _end(connection, [c for c in changes if c.status in FINAL], now)
    waiting = [c for c in changes if c.status not in FINAL]
    await _put_off(connection, await _held_back(connection, waiting, stood), now)
    await tally.add(connection, _counted(changes, stood))


def _counted(changes: Sequence[Change], stood: Mapping[str, Standing]) -> Counts:
    counts: Counts = Counter()
    for one in changes:
        before = stood.get(one.message)
        if before is None:
            continue
        if before.status in FINAL:
            counts[before.campaign, before.status, before.reason] -= 1
        if one.status in FINAL:
            counts[before.campaign, one.status, one.reason] += 1
    return counts


async def _held_back(
    connection: AsyncConnection, changes: Sequence[Change], stood: Mapping[str, Standing]
) -> Sequence[Change]:
    """As *changes*; of a campaign that does not go on, or is just being steered, none waits."""
    names = {stood[one.message].campaign for one in changes if one.message in stood}
    if not names:
        return changes
    states = await campaigns.states(connection, names)
    held = names - {name for name, state in states.items() if state in campaigns.GOES_ON}
    return [
        replace(one, status=Status.PAUSED)
        if one.message in stood and stood[one.message].campaign in held
        else one
        for one in changes
    ]


async def _end(connection: AsyncConnection, changes: Sequence[Change], now: datetime) -> None:
    """In one statement for all that end alike: of a campaign nearly all are `sent`."""
    alike: dict[tuple[Status, str | None, int], list[str]] = {}
    for one in changes:
        alike.setdefault((one.status, one.reason, int(one.tried)), []).append(one.message)
    for (status, reason, tried), messages in alike.items():
        as_it_is = {"to": status, "why": reason, "tried": tried, "now": now}
        await straight.run(connection, _END, as_it_is | {"messages": messages})


async def _put_off(connection: AsyncConnection, changes: Sequence[Change], now: datetime) -> None:
    """Each row is written once: twice in a transaction, PostgreSQL asks for what it refers to.

    Then a message whose content somebody deleted would end the change of all beside it.
    """
    messages = [one.message for one in changes]
    if not messages:
        return
    tries = dict(await straight.rows(connection, _TRIED, {"messages": messages}))
    rows = [
        {
            "id": one.message,
            "status": one.status,
            "reason": one.reason,
            "owner": None,
            "ended_at": None,
            "due_at": now if one.due_at is None else one.due_at,
            "tries": tries[one.message] + int(one.tried),
        }
        for one in changes
        if one.message in tries
    ]
    await update_all(connection, outbox, rows)
