"""The data keys: one per person and compartment, wrapped.

Creating comes before the data that needs it, destroying after the data let go.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import and_, delete, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import tables
from consent.keys.vault import OF_PEOPLE, Broken, Compartment, Vault
from consent.keys.wrapping import Wrapper
from storage import paging, straight
from storage.database import Database
from storage.errors import StorageAway
from storage.locks import in_order
from storage.secret import Secret
from storage.sound import tuples
from storage.turns import in_turns
from storage.types import ByNames, among, upsert
from storage.writing import insert_all

SWEEP_AFTER = timedelta(days=1)
_COMPARTMENTS = frozenset(map(str, Compartment))  # anything else in the ledger is nobody's

_FRESH = 60.0  # seconds that an unwrapped key is kept
_KEPT = 20_000  # people whose keys are kept
_BATCH = 5_000  # values in one IN
_DEKS = ByNames(select(tables.dek), tables.dek.c.subject)

_Keys = Mapping[str, Secret | Broken]
T = TypeVar("T")


class DataKeys:
    """Makes, hands out and destroys the keys of people; keeps unwrapped ones for a minute."""

    def __init__(
        self, database: Database, wrapper: Wrapper, monotonic: Callable[[], float]
    ) -> None:
        self._database = database
        self._wrapper = wrapper
        self._monotonic = monotonic
        self._cached: dict[str, tuple[float, _Keys]] = {}

    async def create(
        self,
        subjects: Iterable[str],
        now: datetime,
        compartments: Collection[Compartment] = OF_PEOPLE,
    ) -> None:
        """Make the keys of people who have none, before anything is stored about them.

        Keys that exist stay. Whoever is in the erasure ledger gets none. An operator's are not
        those of people: name theirs.
        """
        # In one order: two processes that make keys for the same people wait for each other's rows.
        wanted = sorted(set(subjects))
        if not wanted:
            return
        begun = self._monotonic()
        # A data backup that was put back names erased people: it must get them no new keys.
        async with self._database.begin() as connection:
            erased = await _erased(connection, wanted)
            epoch = await self._wrapper.active(connection, self._database.name)
            made = {subject: _new_keys(subject, compartments, erased) for subject in wanted}
            rows = [
                self._row(epoch, subject, compartment, key, now)
                async for subject, keys in in_turns(made.items())
                for compartment, key in keys.items()
            ]
            written = await insert_all(connection, tables.dek, rows, new_only=True)
        # Where somebody had keys, theirs stand; what was made here opens nothing then.
        if not erased and written == len(rows):
            self._keep(begun, made)

    async def vault(self, subjects: Iterable[str], *, always: bool = False) -> Vault:
        """The keys of *subjects*, at most a minute old; keys that do not exist are missing.

        *always*: the store is asked also where none is: nobody learns by it who was known.
        """
        wanted = set(subjects)
        fresh = self._monotonic() - _FRESH
        found = {s: held[1] for s in wanted if (held := self._cached.get(s)) and held[0] > fresh}
        missing = sorted(wanted - found.keys())
        if missing or always:
            found |= await self._fetch(missing)
        return Vault(found)

    async def passing(self, subjects: Collection[str], compartment: Compartment) -> Vault:
        """The keys of one compartment, for who goes through everybody: nothing of them is kept.

        Each is unwrapped when it is asked for, so that no step takes as long as all of them.
        """
        found: dict[str, Any] = {}
        dek = tables.dek
        async with self._database.read() as connection:
            for batch in _batches(sorted(subjects)):
                theirs = (among(dek.c.subject, batch), dek.c.compartment == compartment)
                rows = (await connection.execute(select(dek).where(*theirs))).all()
                found |= {row.subject: row for row in rows}
            lacking = {row.epoch for row in found.values()} - self._wrapper.held
            await self._require(connection, lacking)
        return Vault(_Wrapped(found, self._unwrap))

    async def destroy(
        self, connection: AsyncConnection, pairs: Sequence[tuple[str, Compartment]], now: datetime
    ) -> None:
        """Delete the keys of *pairs* and enter it in the ledger; `forget` once it is committed."""
        dek, ledger = tables.dek, tables.erasure_ledger
        for batch in _batches(pairs):
            gone = in_order(dek, tuple_(dek.c.subject, dek.c.compartment).in_(batch))
            await connection.execute(delete(dek).where(gone))
        rows = [{"subject": s, "compartment": c, "done_at": now} for s, c in pairs]
        await connection.execute(upsert(connection, ledger).on_conflict_do_nothing(), rows)

    def forget(self, subjects: Iterable[str]) -> None:
        """Let go of what this process keeps unwrapped."""
        for subject in subjects:
            self._cached.pop(subject, None)

    async def erased(self, subjects: Iterable[str]) -> set[tuple[str, Compartment]]:
        """What the erasure ledger says is destroyed of these people."""
        async with self._database.read() as connection:
            return await _erased(connection, sorted(set(subjects)))

    async def held(self, subjects: Iterable[str]) -> set[tuple[str, str]]:
        """The keys of these people that the store holds, whatever its ledger says."""
        found: set[tuple[str, str]] = set()
        async with self._database.read() as connection:
            for batch in _batches(sorted(set(subjects))):
                query = select(tables.dek.c.subject, tables.dek.c.compartment)
                rows = await connection.execute(query.where(among(tables.dek.c.subject, batch)))
                found |= {(row.subject, row.compartment) for row in rows}
        return found

    async def back(self, limit: int) -> list[tuple[str, str]]:
        """Keys that were destroyed and are there all the same, by subject and compartment."""
        dek, ledger = tables.dek, tables.erasure_ledger
        same = and_(ledger.c.subject == dek.c.subject, ledger.c.compartment == dek.c.compartment)
        query = select(dek.c.subject, dek.c.compartment).where(exists().where(same)).limit(limit)
        async with self._database.read() as connection:
            return [(row.subject, row.compartment) for row in await connection.execute(query)]

    async def strange(self, limit: int) -> list[str]:
        """Keys that have no person's name, and are nobody's."""
        async with self._database.read() as connection:
            return await paging.strange(connection, tables.dek, limit)

    async def sweep(
        self, named: Callable[[Sequence[str]], Awaitable[Collection[str]]], now: datetime
    ) -> int:
        """Delete keys that nobody took up within a day; returns of how many people.

        *named* is asked, page by page, which subjects the data still knows; it
        must raise rather than guess, for a key that it leaves out is gone for
        good. Only call it once the start-up checks found data and keys in step.
        """
        swept, last = 0, None
        while page := await self._page_of_old(last, now - SWEEP_AFTER):
            unnamed = sorted(set(page) - set(await named(page)))
            for batch in _batches(unnamed):
                async with self._database.begin() as connection:
                    gone = in_order(tables.dek, among(tables.dek.c.subject, batch))
                    await connection.execute(delete(tables.dek).where(gone))
            self.forget(unnamed)
            swept, last = swept + len(unnamed), page[-1]
        return swept

    def _row(
        self, epoch: int, subject: str, compartment: str, key: Secret, now: datetime
    ) -> dict[str, Any]:
        return {
            "subject": subject,
            "compartment": compartment,
            "epoch": epoch,
            "wrapped": self._wrapper.wrap(epoch, key, "dek", subject, compartment),
            "created_at": now,
        }

    async def _fetch(self, subjects: Sequence[str]) -> dict[str, _Keys]:
        # Before the question: from its answer on, a key destroyed in between would live too long.
        asked = self._monotonic()
        found: dict[str, dict[str, Secret | Broken]] = {}
        async with self._database.read() as connection:
            for batch in _batches(subjects) if subjects else ([],):
                found_rows = await straight.rows(connection, *_DEKS.of(batch))
                rows = [*tuples(found_rows, tables.dek)]
                keys = [self._unwrap(row) for row in rows]
                await self._require(connection, {k.epoch for k in keys if isinstance(k, Broken)})
                for row, key in zip(rows, keys, strict=True):
                    found.setdefault(row.subject, {})[row.compartment] = key
        self._keep(asked, found)
        return dict(found)

    def _keep(self, since: float, found: Mapping[str, _Keys]) -> None:
        # Out first, so that they go in last: the oldest stand first, and leave first. A vault keeps
        # what it was made with.
        self.forget(found)
        self._cached |= {subject: (since, keys) for subject, keys in found.items()}
        for subject in list(islice(self._cached, max(0, len(self._cached) - _KEPT))):
            del self._cached[subject]

    async def _require(self, connection: AsyncConnection, broken: set[int]) -> None:
        """`StorageAway` where another node's keyring has an epoch of these, and ours does not.

        Otherwise everybody would pass for damaged here, and be parked, or leave without proof.
        """
        if broken and await self._wrapper.elsewhere(connection, broken):
            raise StorageAway(self._database.name)

    def _unwrap(self, row: Any) -> Secret | Broken:
        try:
            return self._wrapper.unwrap(row.epoch, row.wrapped, "dek", row.subject, row.compartment)
        except KeyUnusable as error:
            # One damaged row must not stop everybody's mail.
            return Broken(error.epoch)

    async def _page_of_old(self, after: str | None, before: datetime) -> list[str]:
        dek = tables.dek
        query = select(dek.c.subject).where(dek.c.created_at < before).distinct()
        query = paging.by_name(query, dek.c.subject, after, _BATCH)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())


class _Wrapped(Mapping[str, _Keys]):
    """Rows of one key a person, each unwrapped when somebody asks for it."""

    def __init__(self, rows: Mapping[str, Any], unwrap: Callable[[Any], Secret | Broken]) -> None:
        self._rows = rows
        self._unwrap = unwrap

    def __getitem__(self, subject: str) -> _Keys:
        row = self._rows[subject]
        return {row.compartment: self._unwrap(row)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _new_keys(
    subject: str,
    compartments: Collection[Compartment],
    erased: Collection[tuple[str, Compartment]],
) -> dict[str, Secret]:
    """A key for each of *compartments* but those that the ledger names."""
    return {
        compartment: Secret(secrets.token_bytes(32))
        for compartment in compartments
        if (subject, compartment) not in erased
    }


async def _erased(
    connection: AsyncConnection, subjects: Sequence[str]
) -> set[tuple[str, Compartment]]:
    ledger = tables.erasure_ledger
    found: set[tuple[str, Compartment]] = set()
    for batch in _batches(subjects):
        query = select(ledger.c.subject, ledger.c.compartment).where(among(ledger.c.subject, batch))
        rows = await connection.execute(query)
        known = [row for row in rows if row.compartment in _COMPARTMENTS]
        found |= {(row.subject, Compartment(row.compartment)) for row in known}
    return found


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))
