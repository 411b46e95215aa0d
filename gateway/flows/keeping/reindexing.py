"""Everybody is found under a new look-up key before the old one goes.

Nobody can make a hash of an address from another hash, so each address is opened once, a
page of people at a time. Whoever signs up meanwhile is written under both keys by everybody,
so nobody is admitted twice; who is erased, or moves, meanwhile gets no row by what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic

from consent import address, gates, intakes, marks, personal
from consent.errors import AddressError, KeyUnusable, SealError
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.set_phases import RESTS
from consent.keys.sets import SetKey
from consent.keys.vault import Vault
from consent.lookup import LookUp
from consent.reindex import Place, Reindex
from storage.database import Database
from storage.grouping import both
from storage.keysets import KeySet

# A page keeps the loop for as long as a sign-up may wait.
_AT_ONCE = 100
_SLICE = 1.0  # seconds of pages between two looks at how the keys stand
# Between two looks through all rows, once a look found nothing more to be done.
_AGAIN = 600.0

_Opened = Mapping[str, tuple[bytes, str]]  # the sealed address as it was read, and what it says


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

    async def renew(self, old: int) -> int:
        """Let the next people be found by the active key, too; how many.

        While one page is written the next is read and opened.
        """
        ends, done = monotonic() + _SLICE, 0
        page = await self._next(old)
        while page is not None:
            following = None if done and monotonic() >= ends else self._next(old)
            did, page = await both(self._write(page), following or _nothing())
            done += did
        return done

    async def _next(self, old: int) -> _Opened | None:
        """The next people whom the active key does not find; None: enough was looked at."""
        while not self._is_resting("renew", old):
            async with self._data.read() as connection:
                after = self._places.get(("renew", old))
                last, found = await self._rows.found_by(connection, old, after, _AT_ONCE)
            self._go_to("renew", old, last)
            if found:
                return await self._open(old, found)
        return None

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
        while not self._is_resting("sweep", old):
            after = self._places.get(("sweep", old))
            async with self._data.begin() as connection:
                last, done = await self._rows.drop(connection, old, after, _AT_ONCE)
            self._go_to("sweep", old, last)
            if done:
                return done
        return 0

    async def _open(self, old: int, found: Mapping[str, bytes]) -> _Opened:
        """Read what these people's addresses are."""
        vault = await self._keystore.vault(found)
        async with self._data.read() as connection:
            seen = await gates.peek(connection, found)
        return await asyncio.to_thread(self._opened, old, found, seen, vault)

    async def _write(self, opened: _Opened) -> int:
        """Write rows of these people under their gates, where they are who they were."""
        async with self._data.begin() as connection:
            held = await gates.lock(connection, opened)
            same = {
                subject: canonical
                for subject, (sealed, canonical) in opened.items()
                if subject in held and held[subject].live and held[subject].address == sealed
            }
            return await self._rows.add_again(connection, same)

    def _opened(
        self, old: int, found: Mapping[str, bytes], seen: Mapping[str, Gate], vault: Vault
    ) -> _Opened:
        """The addresses that can be read, and that are those of the rows: no row is by chance."""
        opened: dict[str, tuple[bytes, str]] = {}
        for subject, digest in found.items():
            gate = seen.get(subject)
            if gate is None or gate.address is None:
                continue
            try:
                mailbox = personal.open_mailbox(gate, vault)
                canonical = None if mailbox is None else address.parse(mailbox).canonical
            except (AddressError, KeyUnusable, SealError):
                continue  # held, and named by whoever checks
            if canonical is not None and self._rows.hash_under(old, canonical) == digest:
                opened[subject] = (gate.address, canonical)
        return opened

    def _is_resting(self, what: str, old: int) -> bool:
        return monotonic() < self._rests.get((what, old), 0.0)

    def _go_to(self, what: str, old: int, last: Place | None) -> None:
        self._places[what, old] = last
        if last is None:  # the next look begins anew
            self._rests[what, old] = monotonic() + _AGAIN


async def _nothing() -> None:
    """Nobody is looked for behind the last page of a turn."""
