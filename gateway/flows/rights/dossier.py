"""Everything that is held about one person (Art. 15 and 20 GDPR), as values; changes nothing.

Read page by page in one snapshot, and opened aside: callers decide how many messages
somebody has, so what one dossier holds is bounded. What was left out is counted, for
whoever is handed it must be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import person as audit_person
from audit import trail as audit_trail
from audit.kinds import Kind
from audit.trail import Told
from consent import (
    address,
    gates,
    holds,
    moving,
    paces,
    personal,
    rights_requests,
    service_mails,
    suppressions,
)
from consent.keys.vault import Compartment, Vault
from consent.paces import Pace
from consent.rights import RightsRequest
from consent.suppressions import Blocked
from delivery import outbox, past
from delivery.outbox import Stored
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights import overview, past_mails
from gateway.flows.rights.overview import OwnData
from gateway.flows.rights.past_mails import Mail
from gateway.parts import Parts

T = TypeVar("T")

MOST_MESSAGES: Final = 20_000
MOST_ITEMS: Final = 60_000  # of batch events: a few tell of each message
_AT_ONCE: Final = 250  # rows that the loop reads without a pause
_KINDS: Final = frozenset(Kind)
_OPENED: Final = (Compartment.PROFILE, Compartment.EVIDENCE)


class Aside(Protocol):
    """Does work that holds the processor where it holds up nobody."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for by right, with the reason of its decision."""

    row: RightsRequest
    reason: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """Until when the law's claims keep somebody's proof, and since when; by which number."""

    id: str
    placed_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is kept; newest messages and events first, everything else oldest first.

    Made for a paper it has of the log, and of servers' replies, only what a paper tells.
    """

    subject: str
    at: datetime
    own: OwnData
    pace: Pace
    answers: Mapping[str, Mapping[str, str]] = field(repr=False)  # by consent: not confirmed yet
    mails: Sequence[Mail] = field(repr=False)
    mails_left_out: int
    events: Sequence[Told] = field(repr=False)
    events_left_out: bool
    requests: Sequence[Request]
    holds: Sequence[Held]
    blocks: Sequence[Blocked]
    service_mails: Sequence[tuple[str, datetime]]


@dataclass(frozen=True, slots=True)
class Dossiers:
    """Collects what is held about people."""

    parts: Parts
    most_messages: int = MOST_MESSAGES
    most_items: int = MOST_ITEMS

    async def collect(
        self, subject: str, aside: Aside, *, for_paper: bool = False
    ) -> Dossier | None:
        """Everything about a person; None for who is not live, or cannot be read."""
        parts = self.parts
        own = await overview.look(parts, subject)
        vault = await parts.keystore.vault([subject])
        if own is None:
            return None
        async with parts.data.snapshot() as connection:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if not gates.usable(gate, vault, *_OPENED):
                return None
            now = await parts.clock.now(connection)
            # Of messages whose rows went by their term, and so of before that, only the log tells.
            before = now - parts.config.retention.messages if for_paper else None
            events, whole = await self._events(connection, subject, vault, aside, before)
            opener = past_mails.Opener(vault, replies=not for_paper)
            mails, left_out = await self._mails(connection, subject, opener, aside, events)
            requests = await rights_requests.of_subject(connection, parts.rows, subject)
            held = await holds.of_subjects(connection, parts.rows, [subject])
            blocks = await self._blocks(connection, own.email, now)
            return Dossier(
                subject=subject,
                at=now,
                own=own,
                pace=(await paces.read(connection, parts.rows, [subject])).get(subject, paces.NONE),
                answers=_answers(own, vault),
                mails=mails,
                mails_left_out=left_out,
                events=events,
                events_left_out=not whole,
                requests=[Request(r, rights_requests.open_reason(r, vault)) for r in requests],
                holds=[Held(one.id, one.placed_at, one.until) for one in held],
                blocks=blocks,
                service_mails=await service_mails.to_subject(connection, subject),
            )

    async def _blocks(
        self, connection: AsyncConnection, email: str | None, now: datetime
    ) -> list[Blocked]:
        """Raises `KeyringBehind` where one by a key that we lack would be left out."""
        if not email:
            return []
        boxes = SameMailbox(self.parts.keyring.suppression, self.parts.lookup)
        held = boxes.held()
        found = await suppressions.standing(
            connection, boxes.suppression, address.parse(email), now
        )
        await boxes.require_keys(connection, held)
        return found

    async def _events(
        self,
        connection: AsyncConnection,
        subject: str,
        vault: Vault,
        aside: Aside,
        before: datetime | None,
    ) -> tuple[list[Told], bool]:
        """What the log tells of them, newest first, and whether that is all of it."""
        found: list[Told] = await audit_trail.told(connection, [subject], _KINDS, vault)
        seen = 0
        async for rows in audit_person.items(connection, subject, self.most_items, before):
            seen += len(rows)
            found += await aside(partial(_opened, rows, vault))
        # Mails that asked a mailbox which need not be theirs: of those they learn nothing.
        of_others = {
            one.facts.get("message") for one in found if one.facts.get("purpose") == moving.ASKING
        }
        found = [one for one in found if one.facts.get("message") not in of_others - {None}]
        found.sort(key=lambda one: one.entry.at, reverse=True)
        return found, seen < self.most_items

    async def _mails(
        self,
        connection: AsyncConnection,
        subject: str,
        opener: past_mails.Opener,
        aside: Aside,
        events: Sequence[Told],
    ) -> tuple[list[Mail], int]:
        """The newest messages, and how many older ones there are."""
        ids = await past.newest(connection, subject, self.most_messages, moving.ASKING)
        found: list[Mail] = []
        for start in range(0, len(ids), _AT_ONCE):
            page = await past.read(connection, ids[start : start + _AT_ONCE])
            sealed = await outbox.contents(connection, [one.message.content for one in page])
            keys = await self.parts.keystore.content_keys(_keys(sealed.values()))
            found += await aside(partial(opener.opened, page, sealed, keys))
        count = await past.count(connection, subject, moving.ASKING)
        # With rows left out, nobody could tell them from such as only the log tells of.
        alone = partial(past_mails.told_alone, events, set(ids)) if count == len(ids) else list
        found += await aside(alone)
        found.sort(key=lambda one: one.at, reverse=True)
        return found, count - len(ids)


def _keys(contents: Iterable[Stored]) -> set[str]:
    """Of what was said to many at once."""
    return {one.key for one in contents if one.key is not None}


def _opened(rows: Sequence[Any], vault: Vault) -> list[Told]:
    return list(audit_person.opened(rows, vault))


def _answers(own: OwnData, vault: Vault) -> dict[str, dict[str, str]]:
    """What was entered with requests that wait."""
    opened = {one.consent.id: personal.open_answers(one.consent, vault) for one in own.consents}
    return {name: answers for name, answers in opened.items() if answers}
