"""Everybody is found under a new look-up key before the old one goes.

Nobody can make a hash of an address from another hash, so each address is opened once, a
page of people at a time. Whoever signs up meanwhile is written under both keys by everybody,
so nobody is admitted twice; who is erased, or moves, meanwhile gets no row by what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import NamedTuple

from consent import address, intakes, marks, personal
from consent.errors import KeyUnusable, SealError
from consent.keys.keystore import KeyStore
from consent.keys.set_phases import RESTS
from consent.keys.sets import SetKey
from consent.keys.vault import Compartment, Vault
from consent.lookup import LookUp
from consent.reindex import Place, Reindex, Row
from gateway.flows.keeping.part_time import PartTime
from storage.database import Database
from storage.keysets import KeySet
from storage.locks import try_alone

# Rows of a page, whose gates are held while it is written, and people who are opened without a
# pause: who signs up waits for the one or the other.
_AT_ONCE = 100
_IN_A_ROW = 5
# Seconds of pages between two looks at how the keys stand, and where no page had anything to do:
# a process says meanwhile nothing of itself, and is waited for no minute.
_SLICE = 1.0
_LOOKING = 5.0
# Between two looks through all rows, once a look found nothing more to be done.
_AGAIN = 600.0
_DUTY = "reindex"


class _Found(NamedTuple):
    """Somebody's next row, and the sealed address that it was made of."""

    row: Row
    sealed: bytes


class OfLookUp:
    """What a key that people are found by waits for, and leaves behind."""

    def __init__(self, data: Database, known: LookUp, keys: KeySet, keystore: KeyStore) -> None:
        self._data = data
        self._known = known
        self._rows = Reindex(keys)
        self._keystore = keystore
        self._places: dict[tuple[str, int], Place | None] = {}
        self._rests: dict[tuple[str, int], float] = {}

    async def tell(self, number: int) -> None:
        async with self._data.begin() as connection:
            await self._known.tell(connection, "lookup", number)

    async def renew(self, old: int) -> int | None:
        """Let the next people be found by the active key, too; how many."""
        async with self._data.snapshot() as alone:
            # To the end of this turn: two processes would open the same addresses.
            if not await try_alone(alone, _DUTY):
                return None
            return await self._for_a_while("renew", old, self._find_again)

    async def held(self, old: SetKey) -> Sequence[str]:
        number = old.name.number
        async with self._data.read() as connection:
            found = {
                "people who are found by nothing else: their address cannot be read (gateway audit"
                " verify)": await self._rows.needs(connection, number),
                "requests that wait": await intakes.indexed_by(connection, number),
                # Who was not yet found by the next key left by the hash of this one alone.
                "marks of who left, which go by themselves": await marks.any_from(
                    connection, old.since + RESTS
                ),
            }
        return [what for what, there in found.items() if there]

    async def sweep(self, old: int) -> int:
        """Delete the next rows of a key that our keyring let go of; how many."""
        return await self._for_a_while("sweep", old, self._drop)

    async def _for_a_while(self, what: str, old: int, page: Callable[[int], Awaitable[int]]) -> int:
        """Do pages; how much they did, or one where they came further. 0: behind the last."""
        begun, done, part_time = monotonic(), 0, PartTime(_SLICE)
        while monotonic() >= self._rests.get((what, old), 0.0):
            done += await page(old)
            await part_time.rest()
            if monotonic() - begun >= (_SLICE if done else _LOOKING):
                return max(done, 1)
        return done

    async def _find_again(self, old: int) -> int:
        after = self._places.get(("renew", old))
        async with self._data.read() as connection:
            last, found = await self._rows.found_by(connection, old, after, _AT_ONCE)
            sealed = await self._rows.addresses(connection, found.keys()) if found else {}
        self._go_to("renew", old, last)
        if not sealed:
            return 0
        return await self._write(await self._open(old, found, sealed))

    async def _drop(self, old: int) -> int:
        after = self._places.get(("sweep", old))
        async with self._data.begin() as connection:
            last, done = await self._rows.drop(connection, old, after, _AT_ONCE)
        self._go_to("sweep", old, last)
        return done

    async def _open(
        self,
        old: int,
        found: Mapping[str, bytes],
        sealed: Mapping[str, bytes],
    ) -> Mapping[str, _Found]:
        """The next row of whose address can be read, and is that of the old row.

        In the loop, for a thread would keep the interpreter from it for longer at a time.
        """
        vault = await self._keystore.passing(sealed.keys(), Compartment.PROFILE)
        opened: dict[str, _Found] = {}
        left = iter(sealed.items())
        while some := list(islice(left, _IN_A_ROW)):
            await asyncio.sleep(0)
            for subject, address_of in some:
                row = self._row(old, subject, found[subject], address_of, vault)
                if row is not None:
                    opened[subject] = _Found(row, address_of)
        return opened

    def _row(
        self, old: int, subject: str, digest: bytes, sealed: bytes, vault: Vault
    ) -> Row | None:
        try:
            mailbox = personal.mailbox_in(subject, sealed, vault)
        except (KeyUnusable, SealError):
            return None  # held, and named by whoever checks
        if mailbox is None:
            return None
        canonical = address.recognised(mailbox)
        # It has the hash that an honest row says, so it is the address that was read strictly then.
        if self._rows.hash_under(old, canonical) != digest:
            return None
        return self._rows.row(subject, canonical)

    async def _write(self, opened: Mapping[str, _Found]) -> int:
        """Write rows of these people under their gates, where they are who they were."""
        async with self._data.begin() as connection:
            held = await self._rows.addresses(connection, opened.keys(), hold=True)
            rows = [one.row for who, one in opened.items() if held.get(who) == one.sealed]
            return await self._rows.add_again(connection, rows)

    def _go_to(self, what: str, old: int, last: Place | None) -> None:
        self._places[what, old] = last
        if last is None:  # the next look begins anew
            self._rests[what, old] = monotonic() + _AGAIN
