"""That a mailbox is not to be asked goes with its person, or is lifted by them; or stays.

Hold the gate: who blocks a mailbox holds those of all who share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import format_moment
from audit.kinds import Kind
from audit.trail import Told
from consent import address, gates, neighbours, suppressions
from consent.address import Address
from consent.gates import Gate
from consent.keys.vault import Vault
from consent.suppressions import Stop, Suppression
from gateway.config.config import Suppress
from gateway.flows.leaving import ending, whereabouts
from gateway.flows.leaving.same_mailbox import SameMailbox, There
from storage.keysets import KeySet


@dataclass(frozen=True, slots=True)
class Blocking:
    """What stands of somebody's mailbox, whose gate is held, with every event of theirs."""

    same_mailbox: SameMailbox
    gate: Gate
    vault: Vault
    told: Sequence[Told] = field(repr=False)
    now: datetime

    async def as_they_are_erased(
        self, connection: AsyncConnection, policy: Suppress, *, objected: bool
    ) -> None:
        """Keep or forget that the mailbox is not to be asked, as the configuration has it."""
        email = self._email
        if email is None:
            return
        if policy is Suppress.NONE:
            await self._lift(connection, email, self._said_at)
        elif policy is Suppress.ALWAYS or objected:
            digest = suppressions.mailbox_hash(self.keys.secret, email)
            until = suppressions.blocked_until(self.now)
            block = Suppression(digest, Stop.ASKING, until, kid=self.keys.kid)
            await suppressions.add(connection, [block], self.now)

    async def as_they_lift(self, connection: AsyncConnection) -> None:
        """Let the mailbox be asked again, of somebody who takes their objection back."""
        email = self._email
        if email is not None:
            await self._lift(connection, email, self.gate.objected_at, Stop.ASKING)

    async def _lift(
        self,
        connection: AsyncConnection,
        email: Address,
        said_at: datetime | None,
        kind: Stop | None = None,
    ) -> None:
        """Lift all blocks, or those of one kind, but what may be the word of a neighbour.

        Raises `KeyringBehind` where one may stand by a key that we lack: it would stay.
        """
        await self.same_mailbox.require_keys(connection, self.same_mailbox.held())
        subject = self.gate.subject
        there = There([subject], [email])
        sharing = await self.same_mailbox.sharing(connection, there) - {subject}
        others = [one for one in (await gates.peek(connection, sharing)).values() if one.live]
        if not others:
            return await suppressions.lift(connection, self.keys, email, kind)
        for block in await suppressions.standing(connection, self.keys, email, self.now):
            theirs = neighbours.may_be_theirs(block, said_at, others)
            if kind in (None, block.kind) and not theirs:
                await suppressions.lift(connection, self.keys, email, block.kind)

    @property
    def keys(self) -> KeySet:
        """What hashes of blocks are made with."""
        return self.same_mailbox.suppression

    @property
    def _email(self) -> Address | None:
        mailbox = whereabouts.mailbox_of(self.gate, self.vault)
        return None if mailbox is None else address.parse(mailbox)

    @property
    def _said_at(self) -> datetime | None:
        """When they said no themselves, if that is the last such word of all who share it."""
        last = self.gate.asking_blocked_at
        said = {format_moment(one.entry.at) for one in self.told if _says_no(one)}
        return last if last is not None and format_moment(last) in said else None


def _says_no(event: Told) -> bool:
    """Whether it blocked asking. That somebody stopped such mails no event tells."""
    return event.kind is Kind.CONSENT_OBJECTED or ending.said_not_me(event)
