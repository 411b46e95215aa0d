"""Who else is mailed in a mailbox whose reader says no: by every spelling, and every key.

A mail that somebody asked for names its mailbox by the key of that day. By what one's own mails
name only those of the same keys are found, so mailboxes are named anew, by every key of ours; of
a key that others have and we lack nobody can tell which mailbox it names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates, moving, service_mails
from consent.address import Address
from consent.errors import KeyringBehind
from consent.keys.vault import Vault
from consent.lookup import Live, LookUp
from gateway.flows.leaving import whereabouts
from storage.keysets import KeySet

_SUPPRESSION = "suppression"
_SINCE = moving.A_WEEK  # the link of an older one is over, and its mail with it


@dataclass(frozen=True, slots=True)
class There:
    """Some mailboxes: of people, by address, or by what a mail that went there names it."""

    people: Collection[str]  # also where theirs does not open: their own mails tell
    emails: Collection[Address]
    boxes: Collection[bytes] = ()


async def of_people(
    connection: AsyncConnection,
    vault: Vault,
    said: Sequence[tuple[str | None, Address | None]],
    boxes: Collection[bytes] = (),
) -> There:
    """The mailboxes of people, of whom *vault* has the keys, and those they are *said* to have."""
    people = {one for one, _ in said if one is not None}
    known = await gates.peek(connection, people)
    emails = [
        email
        for subject, named in said
        for email in whereabouts.addresses(known.get(subject or ""), named, vault)
    ]
    return There(people, emails, boxes)


@dataclass(frozen=True, slots=True)
class SameMailbox:
    """Finds who shares a mailbox, and who asked for it. Locks nothing."""

    suppression: KeySet
    lookup: LookUp

    async def sharing(self, connection: AsyncConnection, there: There) -> set[str]:
        """Who had service mails *there*, by every spelling.

        Raises `KeyringBehind` where a mail names its mailbox by a key that we lack.
        """
        held, boxes = self._named(there)
        found = await service_mails.sharing(connection, there.people, boxes)
        lacking = await self._lacking(connection, held)
        if await service_mails.made_under(connection, {one.number for one in lacking}):
            raise KeyringBehind(lacking)
        return found

    async def asking(self, connection: AsyncConnection, there: There, now: datetime) -> set[str]:
        """Who asked lately that their mails go *there*; their gates are to be held.

        And who asked by a key that we lack for whatever mailbox: nothing but the mail that asks
        is waited for, and nobody is kept from leaving. What is queued behind this look waits for
        longer than anybody who leaves, and its claim sees what they said (`moving.TOLD_BEFORE`).
        """
        held, boxes = self._named(there)
        found = await service_mails.askers(connection, there.people, boxes, now - _SINCE)
        lacking = {one.number for one in await self._lacking(connection, held)}
        return found | await service_mails.askers_under(connection, lacking, now - _SINCE)

    def held(self) -> frozenset[Live]:
        """Our keys, to be named before a look (`LookUp.held`)."""
        return self.lookup.held()

    async def require_keys(self, connection: AsyncConnection, held: frozenset[Live]) -> None:
        """Raise `KeyringBehind` where mailboxes are named by a key that is not *held*."""
        if lacking := await self._lacking(connection, held):
            raise KeyringBehind(lacking)

    async def lags(self, connection: AsyncConnection, held: frozenset[Live]) -> bool:
        """Whether mailboxes are named by other keys than *held*; else we saw all that names one."""
        return bool(await self._lacking(connection, held))

    def _named(self, there: There) -> tuple[frozenset[Live], set[bytes]]:
        """The keys that we have, and what they name these mailboxes."""
        boxes = {
            box
            for email in there.emails
            for box in service_mails.mailbox_hashes(self.suppression, email)
        }
        return self.held(), boxes.union(there.boxes)

    async def _lacking(self, connection: AsyncConnection, held: frozenset[Live]) -> set[Live]:
        # After the look: a key is told before the first of anything is made with it.
        beyond = await self.lookup.beyond(connection, held)
        return {one for one in beyond if one.kind == _SUPPRESSION}
