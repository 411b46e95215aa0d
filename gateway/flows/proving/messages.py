"""Messages beside what the log says of them: a row that was set back, or is gone, is named.

A message that was deleted before its first claim, together with its content, has
left no trace: no event tells of its acceptance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.kinds import Kind
from audit.trail import Batch, Told
from consent import fresh_links, gates, links
from consent.keys.keystore import KeyStore
from delivery import account
from delivery.account import Account, Rows
from gateway.flows.sending import occasion
from gateway.flows.sending.occasion import ToConfirm, ToOpen
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 1000
_BATCHES = 50  # of some hundred items each, which are opened at once
_KINDS = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)


@dataclass(frozen=True, slots=True)
class _Links:
    """The links that mails of some messages carry, as long as they work, and which there are."""

    tokens: frozenset[bytes]
    fresh: frozenset[str]
    known_tokens: frozenset[bytes]
    known_fresh: frozenset[str]

    @classmethod
    async def of(
        cls, connection: AsyncConnection, page: Sequence[Account], now: datetime
    ) -> _Links:
        valid = (one.message for one in page if one.message.expires_at > now)
        why = [occasion.of(message) for message in valid]
        tokens = frozenset(one.token_hash for one in why if isinstance(one, ToConfirm))
        fresh = frozenset(one.link for one in why if isinstance(one, ToOpen))
        return cls(
            tokens,
            fresh,
            frozenset(await links.with_consents(connection, tokens)),
            frozenset(await fresh_links.known(connection, fresh)),
        )

    def missing(self) -> list[str]:
        """Those that there are not, by table and key."""
        tokens = (one.hex() for one in self.tokens - self.known_tokens)
        found = [f"confirmation or confirmation_consent {one}" for one in tokens]
        return sorted([*found, *(f"fresh_link {one}" for one in self.fresh - self.known_fresh)])


@dataclass(frozen=True, slots=True)
class Messages:
    """What is compared: the rows of all messages, which are *kept* so long after their end."""

    data: Database
    keystore: KeyStore
    keys: RowKeys
    clock: Clock
    kept: timedelta

    async def doubts(self) -> AsyncIterator[str]:
        """Compare rows with each other, and with what the log tells."""
        async with self.data.read() as connection:
            for name in await account.orphans(connection, _AT_ONCE):
                yield f"{name}: its message is gone"
        for doubts in (self._of_rows(), self._of_log()):
            async for doubt in doubts:
                yield doubt

    async def _of_rows(self) -> AsyncIterator[str]:
        after: str | None = None
        while True:
            async with self.data.snapshot() as connection:
                page = await account.after(connection, after, _AT_ONCE)
                now = await self.clock.now(connection)
                carried = await _Links.of(connection, page, now)
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
        after = -1
        while True:
            async with self.data.read() as connection:
                page = await trail.batches(connection, _KINDS, after, _BATCHES)
            if not page:
                return
            for doubt in await self._of_page(page, kept_since):
                yield doubt
            after = page[-1].index

    async def _of_page(self, page: Sequence[Batch], kept_since: datetime) -> list[str]:
        subjects = frozenset[str]().union(*(one.subjects for one in page))
        vault = await self.keystore.vault(subjects)
        eids = [one.eid for one in page]
        async with self.data.snapshot() as connection:
            told = await trail.told_of_items(connection, eids, subjects, _KINDS, vault)
            named = {one.facts["message"] for one in told}
            rows = await account.of_messages(connection, named)
            known = await gates.peek(connection, subjects)
        # Their messages went when they were erased; of what proves them the log tells on.
        erased = {subject for subject, gate in known.items() if gate.gone(self.keys)}
        told = [one for one in told if one.subject not in erased]
        return [doubt for one in told if (doubt := _doubt(one, rows, kept_since)) is not None]


def _doubt(told: Told, rows: Rows, kept_since: datetime) -> str | None:
    """What speaks against the rows of a message, given one thing that the log says of it."""
    message: str = told.facts["message"]
    attempt: int = told.facts.get("attempt", 0)
    if message not in rows.ended:
        is_kept = told.entry.at > kept_since
        return f"outbox {message}: the log tells of it, and its row is gone" if is_kept else None
    if told.kind is Kind.DELIVERY_BATCH:
        outcome = str(told.facts.get("outcome"))
        if rows.denies(message, attempt, outcome):
            return f"attempt {message}/{attempt}: the log tells that it ended {outcome}"
    elif told.facts.get("ground") is not None:
        if rows.lacks_permit(message, attempt):
            return f"permit of {message}/{attempt}: the log grants it, and its row is gone"
    elif not rows.ended[message]:
        return f"outbox {message}: an old row was put back: the log tells of its end"
    return None
