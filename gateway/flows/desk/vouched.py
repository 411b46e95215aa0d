"""An identity provider says who somebody is; who of the operators that is, and whether, we say.

It makes nobody an operator: somebody who stands is found by the account that they first came by,
and before that by the mailbox that they were entered with, where the provider says that it
checked it. From then on that account is theirs, and no other one there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import address
from consent.address import Address
from consent.errors import AddressError
from consent.keys.vault import Vault
from gateway.callers import operators
from gateway.callers.operators import ROLL, Identity, Member
from gateway.config.desk import Oidc
from gateway.flows.desk.sitting import Desk
from gateway.flows.desk.staff import identities
from gateway.oidc.id_token import Account, account_of
from storage.locks import keep_out


class Why(StrEnum):
    """Why an account opens nothing here; people are told one sentence for all of them."""

    UNKNOWN = "unknown"  # nobody who stands has that account, nor that mailbox
    UNVERIFIED = "unverified"  # the provider did not check that mailbox
    OTHER_ACCOUNT = "other_account"  # whoever has that mailbox came by another one
    REPLAYED = "replayed"  # this attempt opened the desk before


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider speaks of; *email* only where it says that it checked that."""

    account: Account
    email: Address | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which operator that is; *new*: they come by this account for the first time."""

    operator: str
    new: bool


def read(claims: Mapping[str, object], ours: Oidc) -> Vouched:
    """What the claims say of somebody, by the names of the configuration."""
    account = account_of(claims, ours.issuer)
    checked = claims.get(ours.verified_claim)
    said = claims.get(ours.address_claim)
    # Some write it as text, or as 1; anything else is no yes.
    if not isinstance(said, str) or not any(checked == yes for yes in (True, "true", "1")):
        return Vouched(account, None)
    try:
        return Vouched(account, address.parse(said))
    except AddressError:
        return Vouched(account, None)


def choose(said: Vouched, known: Mapping[str, Identity]) -> Chosen | Why:
    """Who of those that stand it is: by the account, else by the mailbox of who has none yet."""
    theirs = [one for one, identity in known.items() if identity.account == said.account]
    if theirs:
        return Chosen(theirs[0], new=False)
    if said.email is None:
        return Why.UNVERIFIED
    for one, identity in known.items():
        if identity.email.canonical != said.email.canonical:
            continue
        if identity.account is not None and identity.account.issuer == said.account.issuer:
            return Why.OTHER_ACCOUNT
        return Chosen(one, new=True)
    return Why.UNKNOWN


@dataclass(frozen=True, slots=True)
class Vouching:
    """Opens the desk to whom a provider vouches for."""

    desk: Desk

    async def open(self, said: Vouched, seed: bytes) -> bytes | Why:
        """Open a session by one attempt, whose id is returned; the attempt is used up by that."""
        while (done := await self._once(said, seed)) is None:
            pass  # somebody came, or was revoked, since it was read who they are
        return done

    async def _once(self, said: Vouched, seed: bytes) -> bytes | Why | None:
        desk = self.desk
        async with desk.data.read() as connection:
            rows = await self._standing(connection)
        gone = await desk.keystore.sessions.revoked(rows)
        vault = await desk.keystore.vault(rows)
        found = choose(said, _readable(rows, gone, vault))
        if isinstance(found, Why):
            return found
        async with desk.data.begin() as connection:
            if found.new:
                await keep_out(connection, ROLL)
            # The operator first: whoever revokes them holds it, and ends what was opened before.
            one = await operators.lock(connection, desk.rows, found.operator)
            known = _readable(await self._standing(connection), gone, vault)
            if not isinstance(one, Member) or choose(said, known) != found:
                return None
            if found.new and not await self._bind(connection, one, known[one.id], said, vault):
                return Why.OTHER_ACCOUNT
            opened = await desk.open_by(connection, one.id, seed)
        raw = None if opened is None else await desk.let_stand(opened)
        return Why.REPLAYED if raw is None else raw

    async def _standing(self, connection: AsyncConnection) -> Mapping[str, Member]:
        rows = await operators.listed(connection, self.desk.rows)
        return operators.standing(rows, await operators.ended(connection, self.desk.log.macs))

    async def _bind(
        self,
        connection: AsyncConnection,
        one: Member,
        identity: Identity,
        said: Vouched,
        vault: Vault,
    ) -> bool:
        """Store whose account that is from now on, and tell of it; False: an old row stands there.

        One from before they came by an account of theirs, put back whole, has another event.
        """
        desk = self.desk
        if await operators.written_by(connection, desk.log.macs, one.id) != one.eid:
            return False
        now = await desk.clock.now(connection)
        event = Event(Kind.OPERATOR_BOUND, Actor.OPERATOR, now, refs={"operator": one.id})
        sealed = operators.seal(one.id, replace(identity, account=said.account), vault)
        bound = replace(one, identity=sealed, eid=event.eid)
        await operators.write(connection, desk.rows, bound)
        await desk.log.stage(connection, [draft(event, None, desk.log.node)])
        return True


def _readable(
    rows: Mapping[str, Member], gone: Collection[str], vault: Vault
) -> Mapping[str, Identity]:
    """Those whom *vault* opens and the key store does not tell to be revoked."""
    return identities([row for one, row in rows.items() if one not in gone], vault)
