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

from consent import moving
from consent.address import Address
from consent.gates import Gate
from consent.keys.vault import Vault
from delivery import permits
from delivery.permits import Open
from gateway.flows.leaving import whereabouts
from gateway.flows.leaving.ending import Leaving
from gateway.flows.leaving.same_mailbox import SameMailbox, There

T = TypeVar("T")


class _OthersAsked(Exception):
    """Somebody asked whose gate is not held."""


@dataclass(frozen=True, slots=True)
class Askers:
    """Whose gates to hold beside those of who leaves; found out while theirs are held."""

    same_mailbox: SameMailbox
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
        asked = await self.same_mailbox.asking(connection, There(people, emails), now)
        if not asked <= self.subjects:
            self.subjects.update(asked)
            raise _OthersAsked

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
