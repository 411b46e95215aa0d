"""Whose addresses are that sign-ups name, and who would be new: a look before gates are locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import personal
from consent.gates import Newcomer
from consent.keys.vault import Vault
from consent.lookup import LookUp
from consent.sign_ups import SignUp
from storage.database import Database
from storage.ids import random_id


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose canonical addresses are, as of a look before anything was locked.

    Where somebody else than a gateway wrote it, it is nobody's, and no
    newcomer's either: such a sign-up waits.
    """

    known: Mapping[str, str]
    made: Mapping[str, str]  # a subject for every address, should it be new
    new: frozenset[str]

    @property
    def subjects(self) -> Mapping[str, str]:
        return {**self.known, **{one: self.made[one] for one in self.new}}

    def newcomers(self, forms: Iterable[SignUp], vault: Vault) -> list[Newcomer]:
        """People who were never heard of; their keys exist already."""
        first: dict[str, Newcomer] = {}
        for form in forms:
            one = form.email.canonical
            if one in self.new and one not in first:
                subject = self.made[one]
                sealed = personal.seal_mailbox(subject, form.email.mailbox, vault)
                first[one] = Newcomer(subject, one, sealed, form.locale)
        return list(first.values())


async def whose_are(data: Database, lookup: LookUp, forms: Iterable[SignUp]) -> Whose:
    """Look up whose the addresses of sign-ups are."""
    # By the address that was sealed: whoever writes rows may give one another's index.
    addresses = {form.email.canonical for form in forms}
    async with data.read() as connection:
        found = await lookup.find(connection, addresses)
    return Whose(
        known={one: known.subject for one, known in found.items() if known.honest},
        made={one: random_id("sub") for one in addresses},
        new=frozenset(addresses - found.keys()),
    )


async def elsewhere(connection: AsyncConnection, lookup: LookUp, whose: Whose) -> set[str]:
    """Addresses that became somebody else's, or nobody's, since the look: they wait for a tick.

    Somebody's address may have been changed; what is asked for that of before is not theirs.
    """
    found = await lookup.find(connection, whose.known.keys())
    return {
        one
        for one, subject in whose.known.items()
        if one not in found or found[one].subject != subject
    }
