"""Who sits at the desk: a link is spent, a session opens, and it ends; the log tells of both.

Rows alone let nobody sit: each is asked for at every request, carries a MAC, and the log is
asked whether it tells of its end. So a row that was put back whole opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import fresh_links
from consent.keys.keystore import KeyStore
from gateway.callers import operators, visits
from gateway.callers.operators import Role
from gateway.callers.visits import DeskLink, Visit
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys


@dataclass(frozen=True, slots=True)
class Operator:
    """Who sits there: by the random id in the log, by the name to people."""

    id: str
    name: str
    role: Role
    session: Visit = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is in the data, and opens nothing before the key store has it too."""

    raw: bytes = field(repr=False)
    kept: bytes = field(repr=False)
    link: DeskLink
    at: datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """Opens and ends sessions. Who was revoked has none from then on."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys

    async def can_open(self, token: str) -> bool:
        """Whether a link still opens the desk. Changes nothing."""
        async with self.data.read() as connection:
            link = await self._link(connection, token)
            good = link is not None and await self._is_good(connection, link)
        return good and link is not None and not await self._is_used(link)

    async def open(self, token: str) -> bytes | None:
        """Spend a link and open a session, whose id is returned; None: it opens nothing."""
        async with self.data.read() as connection:
            link = await self._link(connection, token)
        if link is None or await self._is_used(link):
            return None
        async with self.data.begin() as connection:
            # First the operator: whoever revokes them holds it, and ends what was opened before.
            if await operators.lock(connection, self.rows, link.operator) is None:
                return None
            now = await self.clock.now(connection)
            if not await self._is_good(connection, link):
                return None
            if not await visits.spend(connection, link, now):
                return None
            opened = await self._begin(connection, link, now, _how(link))
        return await self.let_stand(opened)

    async def open_by(
        self, connection: AsyncConnection, operator_id: str, seed: bytes
    ) -> Opened | None:
        """Open a session by an attempt at the identity provider; None: it opened one before.

        Hold the operator's row; the session stands once `let_stand` said so, after the commit.
        """
        now = await self.clock.now(connection)
        link = visits.by_provider(seed, operator_id, now)
        if await visits.find(connection, self.rows, link.token_hash) is not None:
            return None
        await visits.add(connection, self.rows, replace(link, spent_at=now))
        return await self._begin(connection, link, now, "provider")

    async def let_stand(self, opened: Opened) -> bytes | None:
        """Say to the key store that a session stands; None: its link opened another one.

        After the commit: a crash before it leaves a row that opens nothing.
        """
        link = opened.link
        last = max(opened.at + visits.LONGEST, link.expires_at)
        sessions = self.keystore.sessions
        return (
            opened.raw if await sessions.open(link.id, link.operator, opened.kept, last) else None
        )

    async def _begin(
        self, connection: AsyncConnection, link: DeskLink, now: datetime, how: str
    ) -> Opened:
        raw, kept = await visits.open_session(connection, self.rows, link, now)
        refs = {"operator": link.operator, "link": link.id, "how": how}
        await self._tell(connection, Kind.OPERATOR_SIGNED_IN, refs, now)
        return Opened(raw, kept, link, now)

    async def _is_used(self, link: DeskLink) -> bool:
        """Whether it opened a session, or its operator was revoked, whatever rows and log say."""
        sessions = self.keystore.sessions
        return await sessions.spent(link.id) or bool(await sessions.revoked([link.operator]))

    async def may_sit(self, raw: bytes) -> bool:
        """Whether a row says so, before anything is read of somebody; `who` alone decides."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            return await visits.session_of(connection, self.rows, raw, now) is not None

    async def who(self, raw: bytes) -> Operator | None:
        """Who sits there, asked at every request. Changes nothing."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found = await visits.session_of(connection, self.rows, raw, now)
            if found is None or await visits.is_left(connection, self.log.macs, found):
                return None
            one = await self._standing(connection, found.operator)
        if one is None or not await self.keystore.sessions.stands(found.id_hash):
            return None
        if await self.keystore.sessions.revoked([one.id]):
            return None
        said = operators.identity_of(one, await self.keystore.vault([one.id]))
        # Of whom nobody can say who they are, nobody could be told who looked.
        return None if said is None else Operator(one.id, said.name, one.role, found)

    async def note_step(self, one: Operator) -> Operator:
        """Let the session last, as something is done in it; seldom enough to hold nobody up."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
        if not visits.is_due(one.session, now):
            return one
        async with self.data.begin() as connection:
            await visits.note_step(connection, self.rows, one.session, now)
        return replace(one, session=replace(one.session, seen_at=now))

    async def leave(self, one: Operator, raw: bytes) -> None:
        """End a session at once."""
        async with self.data.begin() as connection:
            if await visits.close(connection, self.rows, raw):
                kind, now = Kind.OPERATOR_SIGNED_OUT, await self.clock.now(connection)
                refs = {"operator": one.id, "link": one.session.link}
                await self._tell(connection, kind, refs, now)
        await self.keystore.sessions.end(visits.names_of(self.rows, raw))

    async def _link(self, connection: AsyncConnection, token: str) -> DeskLink | None:
        digest = visits.hash_of(token)
        return None if digest is None else await visits.find(connection, self.rows, digest)

    async def _is_good(self, connection: AsyncConnection, link: DeskLink) -> bool:
        """Whether it opens the desk now, by its row, by the log, and by the mailbox it went to."""
        now = await self.clock.now(connection)
        if link.spent_at is not None or link.expires_at <= now:
            return False
        if await self._standing(connection, link.operator) is None:
            return False
        if await visits.is_spent(connection, self.log.macs, link):
            return False
        if link.subject is None:
            return True
        # It ends with the mailbox that it went to: when that is another one, or forgotten.
        sent = (await fresh_links.get(connection, self.rows, [link.id])).get(link.id)
        return sent is not None and sent.subject == link.subject and sent.expires_at > now

    async def _standing(
        self, connection: AsyncConnection, operator_id: str
    ) -> operators.Member | None:
        one = await operators.get(connection, self.rows, operator_id)
        if one is None:
            self.rows.require_whole()
            return None
        revoked = await operators.ended(connection, self.log.macs)
        return operators.standing([one], revoked).get(operator_id)

    async def _tell(
        self, connection: AsyncConnection, kind: Kind, refs: Mapping[str, str], now: datetime
    ) -> None:
        event = Event(kind, Actor.OPERATOR, now, refs=refs)
        await self.log.stage(connection, [draft(event, None, self.log.node)])


def _how(link: DeskLink) -> str:
    """By which kind of link somebody came."""
    return "printed" if link.subject is None else "mail"
