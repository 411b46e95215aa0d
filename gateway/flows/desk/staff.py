"""Operators are entered, and revoked; once that is long enough ago, nobody can read who they were.

By commands, and by a duty. Each change is told in the log by the random id alone; who it is
stands in their row, under a key of their own (compartment `staff`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent.address import Address
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from gateway.callers import operators, visits
from gateway.callers.operators import ROLL, Altered, Identity, Member, Role
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import random_id
from storage.locks import keep_out

_STAFF: Final = (Compartment.STAFF,)


@dataclass(frozen=True, slots=True)
class Entered:
    """Who was entered, and the token of the link that lets them in once."""

    id: str
    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has that mailbox, or was told of by that name: *operator*."""

    operator: str
    what: str  # mailbox | name


@dataclass(frozen=True, slots=True)
class Listed:
    """One operator as an administrator sees them: no address."""

    row: Member | Altered
    name: str | None  # none: nobody can read it (any more)
    revoked: bool  # as the log has it, whatever the row says
    bound: bool  # to an account at the identity provider


@dataclass(frozen=True, slots=True)
class _Roll:
    """Everybody there ever was, who of them stands, and who they are where that can be read."""

    rows: Sequence[Member | Altered]
    standing: Collection[str]
    known: Mapping[str, Identity]

    @property
    def names(self) -> Mapping[str, str]:
        return {identity.name: one for one, identity in self.known.items()}


@dataclass(frozen=True, slots=True)
class Staff:
    """Enters operators, and lets them go."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys

    async def enter(self, email: Address, role: Role, name: str | None) -> Entered | Taken:
        """Enter somebody; their first link is for whoever runs this to hand over.

        No two that stand have one mailbox, and no two whose names can be read one name, also
        where several are entered at once: by it, people are told who looked.
        """
        new, roll = random_id("opr"), await self._roll()
        if (taken := _taken(roll, email, name)) is not None:
            return taken
        # Before the row: a key that nobody took up is swept.
        await self.keystore.create([new], self.clock.wall(), _STAFF)
        vault = await self.keystore.vault([new])
        while (taken := _taken(roll, email, name)) is None:
            identity = Identity(email, name or _first_free(role, roll.names))
            async with self.data.begin() as connection:
                await keep_out(connection, ROLL)
                if await operators.listed(connection, self.rows) == roll.rows:
                    sealed = operators.seal(new, identity, vault)
                    token = await self._add(connection, new, role, sealed)
                    return Entered(new, identity.name, token)
            roll = await self._roll()  # somebody came, or went, since it was read
        return taken

    async def _add(self, connection: AsyncConnection, new: str, role: Role, sealed: bytes) -> str:
        """Write somebody down, with their first link, whose token is returned."""
        now = await self.clock.now(connection)
        event = _event(Kind.OPERATOR_CREATED, new, {"role": role}, Actor.OPERATOR, now)
        row = Member(new, role, sealed, None, now, None, event.eid)
        token, link = visits.new_link(new, now)
        await operators.add(connection, self.rows, row)
        await visits.add(connection, self.rows, link)
        await self._stage(connection, [event])
        return token

    async def _roll(self) -> _Roll:
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
            revoked = await operators.ended(connection, self.log.macs)
        return _Roll(rows, operators.standing(rows, revoked), await self._identities(rows))

    async def listed(self) -> list[Listed]:
        """Everybody there ever was, oldest first."""
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
            revoked = await operators.ended(connection, self.log.macs)
        known = await self._identities(rows)
        return [
            Listed(
                one,
                known[one.id].name if one.id in known else None,
                one.id in revoked or (isinstance(one, Member) and one.revoked_at is not None),
                one.id in known and known[one.id].account is not None,
            )
            for one in rows
        ]

    async def show(self, operator_id: str, case: str) -> Identity | None:
        """Who that is, for a *case*, which the log names; None where nobody can say."""
        async with self.data.read() as connection:
            one = await operators.get(connection, self.rows, operator_id)
        said = None if one is None else (await self._identities([one])).get(operator_id)
        if said is None:
            return None
        async with self.data.begin() as connection:
            now, refs = await self.clock.now(connection), {"case": case}
            kind = Kind.OPERATOR_ACCESSED
            event = _event(kind, operator_id, refs, Actor.OPERATOR, now)
            await self._stage(connection, [event])
        return said

    async def revoke(self, operator_id: str) -> bool:
        """End their sessions and links at once; False where there is nobody to revoke."""
        async with self.data.read() as connection:
            rows = {one.id: one for one in await operators.listed(connection, self.rows)}
        if (there := rows.get(operator_id)) is None:
            return False
        if isinstance(there, Altered) or there.identity is not None:
            # First: interrupted after it they sit nowhere, and are revoked when this is run again.
            await self.keystore.sessions.revoke(operator_id, self.clock.wall())
        async with self.data.begin() as connection:
            one = await operators.lock(connection, self.rows, operator_id)
            told = await operators.ended(connection, self.log.macs)
            ended = isinstance(one, Altered) or (one is not None and one.revoked_at is not None)
            if one is None or (operator_id in told and ended):
                return False
            await self._revoke(connection, one, {})
        return True

    async def revoke_all(self, why: str) -> int:
        """After a restore: who was revoked since the backup would sit there again."""
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
        for row in rows:
            async with self.data.begin() as connection:
                one = await operators.lock(connection, self.rows, row.id)
                if one is not None and _stands(one):
                    await self._revoke(connection, one, {"reason": why})
            if isinstance(row, Member) and row.identity is not None:
                await self.keystore.sessions.revoke(row.id, self.clock.wall())
        async with self.data.begin() as connection:
            await visits.end(connection)  # whoever wrote them
        return sum(map(_stands, rows))

    async def forget(self, kept: timedelta) -> int:
        """Destroy who they were, *kept* after they were revoked; returns of how many."""
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            rows = await operators.listed(connection, self.rows)
            over = [
                one
                for one in rows
                if isinstance(one, Member)
                and one.identity is not None
                and one.revoked_at is not None
                and one.revoked_at <= now - kept
            ]
            for one in over:
                await self._forget(connection, one)
        # Those too whose keys a crash left, or an older key store brought back.
        gone = {one.id for one in rows if isinstance(one, Member) and one.identity is None}
        held = {one for one, _ in await self.keystore.held({*gone, *(one.id for one in over)})}
        await self.keystore.erase(held, _STAFF, self.clock.wall())
        return len(over)

    async def forget_unreadable(self) -> int:
        """After a restore of an older key store: nobody can say any more who they are."""
        async with self.data.read() as connection:
            rows = await operators.listed(connection, self.rows)
        ours = [one for one in rows if isinstance(one, Member) and one.identity is not None]
        held = {one for one, _ in await self.keystore.held([one.id for one in ours])}
        gone = [one for one in ours if one.id not in held]
        async with self.data.begin() as connection:
            for one in gone:
                if _stands(one):
                    await self._revoke(connection, one, {})
                await self._forget(connection, one)
        return len(gone)

    async def _identities(self, rows: Iterable[Member | Altered]) -> dict[str, Identity]:
        ours = [one for one in rows if isinstance(one, Member)]
        return identities(ours, await self.keystore.vault([one.id for one in ours]))

    async def _revoke(
        self, connection: AsyncConnection, one: Member | Altered, refs: Mapping[str, str]
    ) -> None:
        now = await self.clock.now(connection)
        event = _event(Kind.OPERATOR_REVOKED, one.id, refs, Actor.OPERATOR, now)
        if isinstance(one, Member):
            ended = replace(one, revoked_at=one.revoked_at or now, eid=event.eid)
            await operators.write(connection, self.rows, ended)
        else:
            # What is altered opens nothing, but would again if that were undone: the log says no.
            await operators.end_altered(connection, one.id, now)
        await visits.end(connection, one.id)
        await self._stage(connection, [event])

    async def _forget(self, connection: AsyncConnection, one: Member) -> None:
        now = await self.clock.now(connection)
        event = _event(Kind.OPERATOR_FORGOTTEN, one.id, {}, Actor.SYSTEM, now)
        revoked_at, eid = one.revoked_at or now, event.eid
        nobody = replace(one, identity=None, mailbox=None, revoked_at=revoked_at, eid=eid)
        await operators.write(connection, self.rows, nobody)
        await self._stage(connection, [event])

    async def _stage(self, connection: AsyncConnection, events: Sequence[Event]) -> None:
        drafts = [draft(event, None, self.log.node) for event in events]
        await self.log.stage(connection, drafts)


def identities(rows: Iterable[Member], vault: Vault) -> dict[str, Identity]:
    """Who they are, of those whom *vault* opens."""
    read = {one.id: operators.identity_of(one, vault) for one in rows}
    return {one: identity for one, identity in read.items() if identity is not None}


def _event(
    kind: Kind, operator_id: str, refs: Mapping[str, str], actor: Actor, now: datetime
) -> Event:
    return Event(kind, actor, now, refs={"operator": operator_id, **refs})


def _stands(one: Member | Altered) -> bool:
    return isinstance(one, Altered) or one.revoked_at is None


def _taken(roll: _Roll, email: Address, name: str | None) -> Taken | None:
    """Who has that mailbox and stands, or was ever told of by that name."""
    for one in roll.standing:
        if one in roll.known and roll.known[one].email.canonical == email.canonical:
            return Taken(one, "mailbox")
    other = None if name is None else roll.names.get(name)
    return None if other is None else Taken(other, "name")


def _first_free(role: Role, names: Mapping[str, str]) -> str:
    number = 1
    while f"{role}-{number}" in names:
        number += 1
    return f"{role}-{number}"
