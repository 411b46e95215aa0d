"""Mails that ask a mailbox whether somebody's shall go there, while whoever reads there leaves.

The gate of such a mail is that of who asked for it, and so is its permit. Whoever leaves the
mailbox holds their gates too, and waits for those permits: what is claimed later sees the mark.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import moving, service_mails
from consent.address import Address
from consent.gates import Gate
from consent.keys.vault import Vault
from delivery import permits
from delivery.permits import Open
from gateway.flows.leaving import whereabouts
from gateway.flows.leaving.ending import Leaving
from storage.keysets import KeySet

T = TypeVar("T")
_SINCE = moving.A_WEEK  # the link of an older one is over, and its mail with it


class _OthersAsked(Exception):
    """Somebody asked whose gate is not held."""


@dataclass(frozen=True, slots=True)
class Askers:
    """Whose gates to hold beside those of who leaves; found out while theirs are held."""

    suppression: KeySet  # what names mailboxes
    subjects: set[str] = field(default_factory=set)

    async def attempt(self, doing: Callable[[], Awaitable[T | None]]) -> T | None:
        """What *doing* returns; None where it must begin again, and all that it wrote is undone."""
        try:
            return await doing()
        except _OthersAsked:
            return None

    async def require_all(
        self,
        connection: AsyncConnection,
        people: Collection[str],
        emails: Collection[Address],
        now: datetime,
    ) -> None:
        """Go on only if *subjects* were all who asked for these mailboxes; nobody does meanwhile.

        Of *people* whose address does not open, it is where mails went that they asked for.
        Else the others are among them the next time: gates are locked in one order by all.
        """
        if not people and not emails:
            return
        boxes = {one for email in emails for one in self._names(email)}
        there = await asking(connection, people, boxes, now)
        if not there <= self.subjects:
            self.subjects.update(there)
            raise _OthersAsked

    def _names(self, email: Address) -> list[bytes]:
        return service_mails.mailbox_hashes(self.suppression, email)

    async def open_permits(self, connection: AsyncConnection, now: datetime) -> Open:
        """What may still start such a mail; also one of theirs to yet another mailbox."""
        if not self.subjects:
            return {}
        return permits.together(await permits.open_of(connection, of_asking(self.subjects), now))

    async def open_of(
        self,
        connection: AsyncConnection,
        leaving: Sequence[Leaving],
        sharing: Sequence[Gate],
        now: datetime,
    ) -> list[Open]:
        """For each who leaves, what there is to wait for now; *sharing* their mailbox: others.

        What is claimed later waits for the gates, and sees the end.
        """
        wanted = [(leaver.subject, leaver.ends) for leaver in leaving]
        theirs = await permits.open_of(connection, wanted, now)
        of_others = [(gate.subject, None) for gate in sharing]
        shared = permits.together(await permits.open_of(connection, of_others, now))
        elsewhere = await self.open_permits(connection, now)
        return [
            permits.together(
                [
                    one,
                    # An objection ends what other spellings of the mailbox are asked, too.
                    shared if leaver.withdrawal.objection else {},
                    elsewhere if leaver.ends is None else {},
                ]
            )
            for leaver, one in zip(leaving, theirs, strict=True)
        ]


async def asking(
    connection: AsyncConnection, people: Collection[str], boxes: Collection[bytes], now: datetime
) -> set[str]:
    """Who asked lately for a mailbox of these people, or one of these; their gates are to be held.

    Locks nothing. What is queued behind this look waits for longer than anybody who leaves, and
    its claim sees what they said (`moving.TOLD_BEFORE`).
    """
    return await service_mails.askers(connection, people, boxes, now - _SINCE)


def left_for_good(
    leaving: Sequence[Leaving], held: Mapping[str, Gate], vault: Vault
) -> tuple[set[str], list[Address]]:
    """Who leaves altogether, and their addresses."""
    going = [one for one in leaving if one.ends is None]
    emails = [
        email
        for one in going
        for email in whereabouts.addresses(held.get(one.subject or ""), one.email, vault)
    ]
    return {one.subject for one in going if one.subject is not None}, emails


def of_asking(subjects: Collection[str]) -> list[tuple[str, str]]:
    """Of which permits of these people whoever leaves the mailbox has to wait for the end."""
    return [(subject, moving.ASKING) for subject in subjects]
