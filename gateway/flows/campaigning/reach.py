"""Whom a campaign would reach: everybody of its audience decided as a claim would, now.

Nothing is queued, and nothing is locked. What only delays a mail refuses nothing. Who narrows an
audience until it is one person learns of that one: the log has who counted, before they are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import audience, facts, gates, policy
from consent.audience import Cursor, Place
from consent.consents import Consent
from consent.keys.vault import Vault
from consent.model import Granted, State
from consent.policy import Standing
from gateway.flows.campaigning.expansion import is_meant
from gateway.flows.campaigning.launch import Order, Stores

_AT_ONCE = 500
Tell = Callable[[int], object]


@dataclass
class Reach:
    """How many would be mailed, and the others by reason; *whole*: all were looked at."""

    recipients: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    whole: bool = False

    @property
    def looked_at(self) -> int:
        return self.recipients + self.refused.total()


async def reach(
    stores: Stores, order: Order, goes_on: Callable[[], bool], tell: Tell = lambda _: None
) -> Reach:
    """Look at everybody of the audience, page by page, while *goes_on* says so.

    Returned once the log holds that whoever gives the *order* counted them.
    """
    found, after = Reach(), None
    while not found.whole and goes_on():
        after = await _page(stores, order, found, after)
        found.whole = after is None
        tell(found.looked_at)
    await _note(stores, order, found)
    return found


async def _note(stores: Stores, order: Order, found: Reach) -> None:
    numbers = {
        "answers": len(order.audience.profile),
        "recipients": found.recipients,
        "refused": found.refused.total(),
    }
    refs = {"purpose": order.purpose} | {name: str(number) for name, number in numbers.items()}
    refs |= {} if order.origin is None else {"api_key": order.origin}
    actor = Actor.OPERATOR if order.origin is None else Actor.API
    async with stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        event = Event(Kind.AUDIENCE_COUNTED, actor, now, refs=refs)
        await stores.log.stage(connection, [draft(event, None, stores.log.node)])


async def _page(stores: Stores, order: Order, found: Reach, after: Cursor | None) -> Cursor | None:
    """Count the next; behind which to go on, None behind the last."""
    async with stores.data.read() as connection:
        now = await stores.clock.now(connection)
        place = Place(max(order.starts_at or now, now), after, _AT_ONCE)
        page = await audience.page(
            connection, stores.consents, order.purpose, order.audience, place
        )
    subjects = {one.subject for one in page}
    vault = await stores.keystore.vault(subjects) if order.audience.profile else Vault({})
    async with stores.data.snapshot() as connection:
        await _count(connection, stores, order, found, page, vault, now)
    last = page[-1] if page else None
    if last is None or last.decided_at is None or len(page) < _AT_ONCE:
        return None
    return last.decided_at, last.id


async def _count(
    connection: AsyncConnection,
    stores: Stores,
    order: Order,
    found: Reach,
    page: Sequence[Consent],
    vault: Vault,
    now: datetime,
) -> None:
    known = await gates.peek(connection, {one.subject for one in page})
    meant = {one for one, gate in known.items() if is_meant(gate, order.audience, vault)}
    pairs = [(one, order.purpose) for one in meant]
    about = await facts.read(connection, stores.consents, known, pairs, now)
    for consent in page:
        theirs = about.get((consent.subject, order.purpose))
        if theirs is None or not consent.honest or not _is_newest(consent, theirs.consents):
            continue
        decision = policy.decide(replace(theirs, sender=order.sender), now)
        if isinstance(decision, Granted):
            found.recipients += 1
        else:
            found.refused[decision.reason] += 1


def _is_newest(consent: Consent, others: Sequence[Standing]) -> bool:
    """Whether it is this consent that somebody is counted by; some have several."""
    confirmed = [one.decided_at for one in others if one.state is State.CONFIRMED]
    mine = consent.decided_at
    return mine is not None and all(one is None or one <= mine for one in confirmed)
