"""Messages beside what the log says of them: a row that was set back, or is gone, is named.

A message that was deleted before its first claim, together with its content, has
left no trace: no event tells of its acceptance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import items
from consent import address_links, fresh_links, gates, links
from consent.keys.keystore import KeyStore
from delivery import account
from delivery.account import Account
from gateway.flows.proving.histories import KINDS, History
from gateway.flows.sending import occasion
from gateway.flows.sending.occasion import ToAddress, ToConfirm, ToOpen
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.types import NO_MOMENT, is_name

_AT_ONCE = 1000
_PEOPLE = 50  # of whom some hundred items each are opened at once
_BATCHES = 500
_MOST_UNPROVEN = 10_000  # that are remembered: memory does not grow with the number of people

_Unproven = dict[tuple[str, int], str]  # by message and attempt: how it ended, as its row says


@dataclass(frozen=True, slots=True)
class _Links:
    """The links that mails of some messages carry, as long as they work, and which there are."""

    tokens: frozenset[bytes]
    fresh: frozenset[str]
    known_tokens: frozenset[bytes]
    known_fresh: frozenset[str]
    addresses: frozenset[str]
    known_addresses: frozenset[str]

    @classmethod
    async def of(
        cls,
        connection: AsyncConnection,
        page: Sequence[Account],
        now: datetime,
        dropped: datetime | None,
    ) -> _Links:
        # A restore dropped the links that were there before.
        valid = (
            one.message
            for one in page
            if one.message.expires_at > now
            and (dropped is None or one.message.created_at > dropped)
        )
        why = [occasion.of(message) for message in valid]
        tokens = frozenset(one.token_hash for one in why if isinstance(one, ToConfirm))
        fresh = frozenset(one.link for one in why if isinstance(one, ToOpen))
        addresses = frozenset(one.link for one in why if isinstance(one, ToAddress))
        return cls(
            tokens,
            fresh,
            frozenset(await links.with_consents(connection, tokens)),
            frozenset(await fresh_links.known(connection, fresh)),
            addresses,
            frozenset(await address_links.known(connection, addresses)),
        )

    def missing(self) -> list[str]:
        """Those that there are not, by table and key."""
        tokens = (one.hex() for one in self.tokens - self.known_tokens)
        found = [f"confirmation or confirmation_consent {one}" for one in tokens]
        found += [f"fresh_link {one}" for one in self.fresh - self.known_fresh]
        found += [f"address_link {one}" for one in self.addresses - self.known_addresses]
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Messages:
    """What is compared: the rows of all messages, which are *kept* so long after their end."""

    data: Database
    keystore: KeyStore
    keys: RowKeys
    clock: Clock
    kept: timedelta
    dropped_at: datetime | None = None  # when a restore let go of all links that there were

    async def doubts(self) -> AsyncIterator[str]:
        """Compare rows with each other, and with what the log tells."""
        async with self.data.read() as connection:
            for name in await account.orphans(connection, _AT_ONCE):
                yield f"{name}: its message is gone"
        for doubts in (self._of_rows(), self._of_log()):
            async for doubt in doubts:
                yield doubt

    async def links_since(self, connection: AsyncConnection) -> datetime:
        """From when on no link about an address, or a lifted stop, went by itself."""
        since = await self.clock.now(connection) - address_links.KEPT
        return max(since, self.dropped_at or since)

    async def _of_rows(self) -> AsyncIterator[str]:
        after: str | None = None
        while True:
            async with self.data.snapshot() as connection:
                page = await account.after(connection, after, _AT_ONCE)
                now = await self.clock.now(connection)
                carried = await _Links.of(connection, page, now, self.dropped_at)
                known = await gates.named(connection, {one.message.subject for one in page})
            for one in page:
                doubt = account.doubt(one) if one.message.subject in known else "belongs to nobody"
                if doubt is not None:
                    yield f"outbox {one.message.id}: {doubt}"
            for missing in carried.missing():
                yield f"{missing}: a mail carries it, and its row is gone"
            if len(page) < _AT_ONCE:
                return
            after = page[-1].message.id

    async def _of_log(self) -> AsyncIterator[str]:
        async with self.data.read() as connection:
            kept_since = await self.clock.now(connection) - self.kept
        after: str | None = ""
        unproven: _Unproven = {}
        while after is not None:
            async with self.data.read() as connection:
                page = await items.people(connection, after, _PEOPLE)
            for doubt in await self._of_people(page, kept_since, unproven):
                yield doubt
            # A row that cannot be paged by must not be met for ever.
            after = page[-1] if page and page[-1] != after else None
            if after is None or len(unproven) > _MOST_UNPROVEN:
                async for doubt in self._of_nobody(unproven):
                    yield doubt
                unproven = {}

    async def _of_people(
        self, people: Sequence[str], kept_since: datetime, unproven: _Unproven
    ) -> list[str]:
        """What speaks against the rows of these people's messages; adds what is *unproven*."""
        vault = await self.keystore.vault(people)
        async with self.data.snapshot() as connection:
            told = await items.told(connection, people, KINDS, vault)
            known = await gates.peek(connection, people)
            # Their messages went when they were erased; of what proves them the log tells on.
            erased = {subject for subject, gate in known.items() if gate.gone(self.keys)}
            histories: dict[str, History] = {}
            for one in told:
                if one.subject not in erased:
                    name = one.facts["message"]
                    history = histories.setdefault(name, History(name))
                    history.add(one.kind, one.entry.at, one.facts)
            rows = await account.of_messages(connection, histories)
        doubts: list[str] = []
        for name, history in histories.items():
            if name in rows.status:
                doubts += history.denied(rows)
                for attempt, outcome in history.unproven(rows).items():
                    if history.since[attempt] > kept_since:  # else it may have gone by rule
                        unproven[name, attempt] = outcome
            elif history.last_at > kept_since:
                doubts.append(f"outbox {name}: the log tells of it, and its row is gone")
        return doubts

    async def _of_nobody(self, unproven: _Unproven) -> AsyncIterator[str]:
        """The same of what was told without its person, and which of *unproven* no event tells."""
        after: int | None = -1
        while after is not None:
            async with self.data.snapshot() as connection:
                page = await items.of_nobody(connection, KINDS, after, _BATCHES)
                said = [one for one in page.found if _is_of_ours(one.facts)]
                rows = await account.of_messages(connection, {o.facts["message"] for o in said})
            for one in said:
                history = History(one.facts["message"])
                history.add(one.kind, NO_MOMENT, one.facts)
                for attempt, outcome in history.outcomes.items():
                    if unproven.get((history.message, attempt)) == outcome:
                        del unproven[history.message, attempt]
                if history.message in rows.status:
                    for doubt in history.denied(rows):
                        yield doubt
            after = page.last
        for (message, attempt), outcome in unproven.items():
            yield f"attempt {message}/{attempt}: no event in the log tells that it ended {outcome}"


def _is_of_ours(facts: Mapping[str, Any]) -> bool:
    """Whether an item that anybody may have planted can be read as one about a message."""
    number: object = facts.get("attempt", 0)
    return is_name(facts.get("message")) and isinstance(number, int) and "ground" not in facts
