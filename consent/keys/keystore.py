"""The key store: one data key per person and compartment, wrapped, in a database of its own.

Creating comes before the data that needs it, destroying after the data let go.
Nothing here joins a data transaction: fetch keys before gates are locked.
Every method may raise `StorageAway`, and is safe to repeat then.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import tables
from consent.keys.vault import Broken, Compartment, Vault
from consent.keys.wrapping import Wrapper
from storage.database import Database
from storage.ids import ordered_id
from storage.secret import Secret
from storage.types import among, upsert

__all__ = ["Compartment", "Epoch", "EpochState", "KeyStore", "Vault"]

INTAKE_KEY_LIFE = timedelta(hours=1)
SWEEP_AFTER = timedelta(days=1)

# A process that took an intake key keeps it for `_FRESH` seconds and then has
# this long to commit the row that it sealed.
_INTAKE_GRACE = timedelta(minutes=10)

_FRESH = 60.0  # seconds that an unwrapped key is kept
_KEPT = 20_000  # people whose keys are kept
_BATCH = 5_000  # values in one IN

_Keys = Mapping[str, Secret | Broken]
T = TypeVar("T")


class EpochState(StrEnum):
    """Where a key-encryption key stands; epochs go through these in order."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    RETIRING = "retiring"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class _IntakeKey:
    fetched: float
    id: str
    created_at: datetime
    key: Secret


@dataclass(frozen=True, slots=True)
class Epoch:
    """A key-encryption key, and how many data keys it wraps."""

    epoch: int
    state: EpochState
    since: datetime
    keys: int


class KeyStore:
    """Makes, hands out and destroys keys; unwrapped ones live in this process's memory only."""

    def __init__(
        self,
        database: Database,
        keks: Mapping[int, Secret],
        active: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._wrapper = Wrapper(keks, active)
        self._monotonic = monotonic
        self._cached: dict[str, tuple[float, _Keys]] = {}
        self._intake: _IntakeKey | None = None
        self._renewing = asyncio.Lock()  # one process, one question
        self._limits: tuple[str, list[tuple[str, Secret]]] | None = None

    async def install(self, now: datetime) -> None:
        """Record the active epoch, once, when the gateway is initialised."""
        row = {"epoch": self._wrapper.active, "state": EpochState.ACTIVE, "since": now}
        async with self._database.begin() as connection:
            statement = upsert(connection, tables.kek_epoch).values(row)
            await connection.execute(statement.on_conflict_do_nothing())

    async def epochs(self) -> list[Epoch]:
        """Every epoch that was ever recorded, oldest first."""
        epoch, dek = tables.kek_epoch, tables.dek
        wrapped = select(func.count()).where(dek.c.epoch == epoch.c.epoch).scalar_subquery()
        query = select(epoch.c.epoch, epoch.c.state, epoch.c.since, wrapped.label("keys"))
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(epoch.c.epoch))
            return [Epoch(r.epoch, EpochState(r.state), r.since, r.keys) for r in rows]

    async def create(self, subjects: Iterable[str], now: datetime) -> None:
        """Make the keys of people who have none, before anything is stored about them.

        Keys that exist stay. Whoever is in the erasure ledger gets none.
        """
        wanted = sorted(set(subjects))
        if not wanted:
            return
        async with self._database.begin() as connection:
            erased = await _erased(connection, wanted)
            rows = [
                self._new_dek(subject, compartment, now)
                for subject in wanted
                for compartment in Compartment
                if (subject, compartment) not in erased
            ]
            if rows:
                statement = upsert(connection, tables.dek).on_conflict_do_nothing()
                await connection.execute(statement, rows)

    async def vault(self, subjects: Iterable[str]) -> Vault:
        """The keys of *subjects*, at most a minute old; keys that do not exist are missing."""
        wanted = set(subjects)
        fresh = self._monotonic() - _FRESH
        found = {s: held[1] for s in wanted if (held := self._cached.get(s)) and held[0] > fresh}
        missing = sorted(wanted - found.keys())
        if missing:
            found |= await self._fetch(missing)
        return Vault(found)

    async def erase(
        self, subjects: Iterable[str], compartments: Collection[Compartment], now: datetime
    ) -> None:
        """Destroy keys and enter it in the erasure ledger, in one transaction.

        Call it after the data stopped naming the person; repeating is harmless.
        Other processes keep what they fetched for up to a minute more, which
        only a gate that says `live` lets them use. Sign-ups made from now on
        are sealed under another intake key.
        """
        pairs = [(subject, c) for subject in sorted(set(subjects)) for c in sorted(compartments)]
        if not pairs:
            return
        dek, ledger = tables.dek, tables.erasure_ledger
        rows = [{"subject": s, "compartment": c, "done_at": now} for s, c in pairs]
        async with self._database.begin() as connection:
            for batch in _batches(pairs):
                gone = tuple_(dek.c.subject, dek.c.compartment).in_(batch)
                await connection.execute(delete(dek).where(gone))
            await connection.execute(upsert(connection, ledger).on_conflict_do_nothing(), rows)
            await _close_intake_keys(connection, now)
        self._intake = None
        for subject, _ in pairs:
            self._cached.pop(subject, None)

    async def erased(self, subjects: Iterable[str]) -> set[tuple[str, Compartment]]:
        """What the erasure ledger says is destroyed of these people."""
        async with self._database.read() as connection:
            return await _erased(connection, sorted(set(subjects)))

    async def intake_key(self, now: datetime) -> tuple[str, Secret]:
        """The key that sign-ups are sealed under now: made anew every hour and at every erasure.

        Another process may go on with a key for a minute after it was closed.
        """
        held = self._fresh_intake_key(now)
        if held is None:
            async with self._renewing:
                held = self._fresh_intake_key(now) or await self._fetch_intake_key(now)
                self._intake = held
        return held.id, held.key

    async def intake_keys(self, ids: Iterable[str]) -> dict[str, Secret]:
        """The keys of rows that wait to be worked off."""
        table = tables.intake_key
        query = select(table).where(among(table.c.id, ids))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        unwrap = self._wrapper.unwrap
        return {row.id: unwrap(row.epoch, row.wrapped, "intake_key", row.id) for row in rows}

    async def closed_intake_keys(self, now: datetime) -> list[str]:
        """Intake keys that no process seals under any more.

        Look for rows that still name them *after* this returned, and destroy the rest.
        """
        table = tables.intake_key
        query = select(table.c.id).where(table.c.closed_at <= now - _INTAKE_GRACE)
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(table.c.id))).scalars())

    async def destroy_intake_keys(self, ids: Iterable[str]) -> None:
        """Destroy closed intake keys that no row names; an open one is left alone."""
        table = tables.intake_key
        gone = delete(table).where(among(table.c.id, ids), table.c.closed_at.is_not(None))
        async with self._database.begin() as connection:
            await connection.execute(gone)

    async def limit_keys(self, now: datetime) -> list[tuple[str, Secret]]:
        """This ISO week's key and, where there is one, last week's; older ones are destroyed.

        Counters are written under the first and read under each.
        """
        period = _week(now)
        if self._limits is None or self._limits[0] != period:
            self._limits = (period, await self._fetch_limit_keys(now))
        return list(self._limits[1])

    async def sweep(
        self, named: Callable[[Sequence[str]], Awaitable[Collection[str]]], now: datetime
    ) -> int:
        """Delete keys that nobody took up within a day; returns of how many people.

        *named* is asked, page by page, which subjects the data still knows; it
        must raise rather than guess, for a key that it leaves out is gone for
        good. Only call it once the start-up checks found data and keys in step.
        """
        swept, last = 0, ""
        while page := await self._page_of_old_keys(last, now - SWEEP_AFTER):
            unnamed = sorted(set(page) - set(await named(page)))
            for batch in _batches(unnamed):
                async with self._database.begin() as connection:
                    gone = delete(tables.dek).where(among(tables.dek.c.subject, batch))
                    await connection.execute(gone)
            for subject in unnamed:
                self._cached.pop(subject, None)
            swept, last = swept + len(unnamed), page[-1]
        return swept

    def _new_dek(self, subject: str, compartment: Compartment, now: datetime) -> dict[str, Any]:
        key = Secret(secrets.token_bytes(32))
        return {
            "subject": subject,
            "compartment": compartment,
            "epoch": self._wrapper.active,
            "wrapped": self._wrapper.wrap(key, "dek", subject, compartment),
            "created_at": now,
        }

    async def _fetch(self, subjects: Sequence[str]) -> dict[str, _Keys]:
        asked = self._monotonic()
        found: dict[str, dict[str, Secret | Broken]] = {}
        async with self._database.read() as connection:
            for batch in _batches(subjects):
                query = select(tables.dek).where(among(tables.dek.c.subject, batch))
                for row in await connection.execute(query):
                    found.setdefault(row.subject, {})[row.compartment] = self._unwrap_dek(row)
        for subject in found:
            self._cached.pop(subject, None)
        self._cached |= {subject: (asked, keys) for subject, keys in found.items()}
        # The oldest stand first; a vault keeps what it was made with.
        for subject in list(islice(self._cached, max(0, len(self._cached) - _KEPT))):
            del self._cached[subject]
        return dict(found)

    def _unwrap_dek(self, row: Any) -> Secret | Broken:
        try:
            return self._wrapper.unwrap(row.epoch, row.wrapped, "dek", row.subject, row.compartment)
        except KeyUnusable as error:
            # One damaged row must not stop everybody's mail.
            return Broken(error.epoch)

    def _fresh_intake_key(self, now: datetime) -> _IntakeKey | None:
        held = self._intake
        if held is None or self._monotonic() - held.fetched >= _FRESH:
            return None
        return held if now - held.created_at < INTAKE_KEY_LIFE else None

    async def _fetch_intake_key(self, now: datetime) -> _IntakeKey:
        fetched = self._monotonic()
        async with self._database.begin() as connection:
            await _close_intake_keys(connection, now, made_before=now - INTAKE_KEY_LIFE)
            row = await _open_intake_key(connection) or await self._new_intake_key(connection, now)
        key = self._wrapper.unwrap(row.epoch, row.wrapped, "intake_key", row.id)
        return _IntakeKey(fetched, row.id, row.created_at, key)

    async def _new_intake_key(self, connection: AsyncConnection, now: datetime) -> Any:
        key_id = ordered_id("ink", now)
        row = {
            "id": key_id,
            "epoch": self._wrapper.active,
            "wrapped": self._wrapper.wrap(Secret(secrets.token_bytes(32)), "intake_key", key_id),
            "created_at": now,
        }
        statement = insert(tables.intake_key).values(row).returning(tables.intake_key)
        return (await connection.execute(statement)).one()

    async def _fetch_limit_keys(self, now: datetime) -> list[tuple[str, Secret]]:
        this, last = _week(now), _week(now - timedelta(days=7))
        table = tables.limit_key
        new = {
            "period": this,
            "epoch": self._wrapper.active,
            "wrapped": self._wrapper.wrap(Secret(secrets.token_bytes(32)), "limit_key", this),
        }
        async with self._database.begin() as connection:
            await connection.execute(delete(table).where(table.c.period < last))
            made = upsert(connection, table).values(new).on_conflict_do_nothing()
            await connection.execute(made)
            query = select(table).where(table.c.period.in_([this, last]))
            rows = (await connection.execute(query.order_by(table.c.period.desc()))).all()
        unwrap = self._wrapper.unwrap
        return [(r.period, unwrap(r.epoch, r.wrapped, "limit_key", r.period)) for r in rows]

    async def _page_of_old_keys(self, after: str, before: datetime) -> list[str]:
        dek = tables.dek
        query = select(dek.c.subject).where(dek.c.subject > after, dek.c.created_at < before)
        query = query.distinct().order_by(dek.c.subject).limit(_BATCH)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())


async def _erased(
    connection: AsyncConnection, subjects: Sequence[str]
) -> set[tuple[str, Compartment]]:
    ledger = tables.erasure_ledger
    found: set[tuple[str, Compartment]] = set()
    for batch in _batches(subjects):
        query = select(ledger.c.subject, ledger.c.compartment).where(among(ledger.c.subject, batch))
        rows = await connection.execute(query)
        found |= {(row.subject, Compartment(row.compartment)) for row in rows}
    return found


async def _open_intake_key(connection: AsyncConnection) -> Any | None:
    table = tables.intake_key
    query = select(table).where(table.c.closed_at.is_(None)).order_by(table.c.id.desc()).limit(1)
    return (await connection.execute(query)).one_or_none()


async def _close_intake_keys(
    connection: AsyncConnection, now: datetime, *, made_before: datetime | None = None
) -> None:
    table = tables.intake_key
    still_open = update(table).where(table.c.closed_at.is_(None))
    if made_before is not None:
        still_open = still_open.where(table.c.created_at <= made_before)
    await connection.execute(still_open.values(closed_at=now))


def _week(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{year:04}-W{week:02}"


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))
