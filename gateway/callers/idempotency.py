"""The same request twice is done once: what became of it is remembered for a day.

Its name is taken, and what became of it stored, in the transaction of the change
itself: whoever comes with that name meanwhile waits for its end, and there is no
moment at which the change is made and its outcome is not known.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Row,
    and_,
    bindparam,
    delete,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import idempotency
from storage.errors import KeyringBehind
from storage.keysets import KeySet
from storage.locks import delete_free, free, keep_out
from storage.secret import Secret
from storage.types import upsert

_KEPT = timedelta(hours=24)
# Releases before took the name for a batch in a transaction before that of the change. A
# row without an answer is of such a process: it works still, or died and changed nothing.
_ABANDONED = timedelta(minutes=1)
_COLUMNS = (idempotency.c.api_key, idempotency.c.endpoint, idempotency.c.key_hash)
_Row = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Hashes:
    """What one key makes of a request."""

    key_hash: bytes
    fingerprint: bytes
    of_bytes: bytes  # as the release before took it: of the body as it came

    def tells(self, row: Row[Any]) -> bool:
        """Whether the request of a row is this one."""
        known = (self.fingerprint, self.of_bytes)
        return any(hmac.compare_digest(row.fingerprint, one) for one in known)


@dataclass(frozen=True)
class Name:
    """What a request may be repeated under, and what tells it from others; nothing readable.

    *status* is that of its answer where one is remembered: known before, for only good ones are.
    *others* is what it may have been named under other keys, while one key follows another;
    *oldest* what the oldest of all has: the same on every node, whichever it names by.
    """

    api_key: str
    endpoint: str
    hashes: Hashes
    status: int
    others: tuple[Hashes, ...] = ()
    oldest: bytes = b""

    @property
    def fingerprint(self) -> bytes:
        return self.hashes.fingerprint

    @property
    def row(self) -> _Row:
        """Where it is kept; the same twice is the same request, or a mistake."""
        return self._row(self.hashes)

    @property
    def rows(self) -> dict[_Row, Hashes]:
        """Where it may stand, under every key."""
        return {self._row(one): one for one in (*self.others, self.hashes)}

    def _row(self, hashes: Hashes) -> _Row:
        return self.api_key, self.endpoint, hashes.key_hash


@dataclass(frozen=True)
class Ticket:
    """The right to do the request of this name, as long as the transaction lasts."""

    name: Name
    owner: bytes


@dataclass(frozen=True)
class Remembered:
    """What became of the first request, as its flow wrote it."""

    document: bytes = field(repr=False)


class Clash(StrEnum):
    """Why a request is neither done nor told what became of the first of its name."""

    IN_FLIGHT = "in flight"  # that one has not been answered yet
    REUSED = "reused"  # that one had another body


def identify(
    keys: KeySet,
    *,
    api_key: str,
    endpoint: str,
    key: str,
    body: bytes,
    meaning: bytes,
    status: int,
) -> Name:
    """Name a request by the idempotency *key* that its caller chose.

    *meaning* tells it from others, *body* is it as it came. Callers put addresses
    into such keys and bodies, so both are stored as HMACs. Raises `KeyringBehind` where
    another node may have named it by a key that we lack.
    """
    if keys.is_behind:
        raise KeyringBehind
    made = {kid: _hashes(secret, key, body, meaning) for kid, secret in keys.live.items()}
    oldest, named = made[min(made)].key_hash, made.pop(keys.kid)
    return Name(api_key, endpoint, named, status, tuple(made.values()), oldest)


def _hashes(secret: Secret, key: str, body: bytes, meaning: bytes) -> Hashes:
    raw = secret.reveal()
    return Hashes(
        key_hash=hmac.digest(raw, b"key\0" + key.encode(), "sha256"),
        fingerprint=hmac.digest(raw, b"meaning\0" + meaning, "sha256"),
        of_bytes=hmac.digest(raw, b"body\0" + body, "sha256"),
    )


async def take(
    connection: AsyncConnection, names: Sequence[Name], now: datetime
) -> list[Ticket | Remembered | Clash]:
    """Claim *names*, in order; the answer to each.

    Of several requests of one name the first gets the ticket; that it has not
    been answered yet is the others' answer. Nobody else can take what is taken
    here until the transaction ends: its rows are locked.
    """
    before = await _under_other_keys(connection, names, now)
    first: dict[_Row, Name] = {}
    for name in names:
        if name.row not in before:
            first.setdefault(name.row, name)
    # In one order for everybody, or two transactions could wait for each other's rows.
    tickets = [Ticket(first[row], secrets.token_bytes(16)) for row in sorted(first)]
    got = await _claim(connection, tickets, now)
    held = await _recall(connection, [row for row in first if row not in got])
    outcomes: list[Ticket | Remembered | Clash] = []
    for name in names:
        ticket = got.get(name.row)
        if ticket is None:
            outcomes.append(_of_another(name, before.get(name.row) or held.get(name.row)))
        elif name is ticket.name:
            outcomes.append(ticket)
        else:
            same = hmac.compare_digest(name.fingerprint, ticket.name.fingerprint)
            outcomes.append(Clash.IN_FLIGHT if same else Clash.REUSED)
    return outcomes


async def _under_other_keys(
    connection: AsyncConnection, names: Sequence[Name], now: datetime
) -> dict[_Row, Row[Any]]:
    """What stands of these names under another key than makes rows now, by their row of now.

    While a key follows another some nodes name by the one and some by the other: for so long
    nobody names the same request by both.
    """
    several = [name for name in names if name.others]
    for lock in sorted({f"{name.api_key} {name.endpoint} {name.oldest.hex()}" for name in several}):
        await keep_out(connection, f"request {lock}")
    rows = {row: name for name in several for row in name.rows if row != name.row}
    found = await _recall(connection, rows)
    return {rows[at].row: row for at, row in found.items() if not _is_over(row, now)}


def _is_over(row: Row[Any], now: datetime) -> bool:
    """As `_claim` has it."""
    abandoned = abs(now - row.started_at) >= _ABANDONED
    return bool(row.expires_at <= now or (row.status is None and abandoned))


async def _claim(
    connection: AsyncConnection, tickets: Sequence[Ticket], now: datetime
) -> dict[_Row, Ticket]:
    """The tickets whose row was free, or abandoned, and is theirs now."""
    if not tickets:
        return {}
    rows = [
        {
            "api_key": ticket.name.api_key,
            "endpoint": ticket.name.endpoint,
            "key_hash": ticket.name.hashes.key_hash,
            "fingerprint": ticket.name.fingerprint,
            "owner": ticket.owner,
            "status": None,
            "answer": None,
            "started_at": now,
            "expires_at": now + _KEPT,
        }
        for ticket in tickets
    ]
    started_at = idempotency.c.started_at
    # One that began later than now is from a clock that ran ahead; a new owner fences it too.
    abandoned = or_(started_at <= now - _ABANDONED, started_at >= now + _ABANDONED)
    over = or_(idempotency.c.expires_at <= now, and_(idempotency.c.status.is_(None), abandoned))
    statement = upsert(connection, idempotency)
    taken = statement.on_conflict_do_update(
        index_elements=_COLUMNS,
        set_={column.name: column for column in statement.excluded if not column.primary_key},
        where=over,
    ).returning(idempotency.c.owner)
    owners = set((await connection.execute(taken, rows)).scalars())
    return {ticket.name.row: ticket for ticket in tickets if ticket.owner in owners}


async def remember(
    connection: AsyncConnection, documents: Sequence[tuple[Ticket, bytes | None]]
) -> None:
    """Store what became of requests, in the transaction that took their tickets.

    None gives the name back: the request may be tried again.
    """
    stored = [
        {**_of(ticket.name), "became_status": ticket.name.status, "became": document}
        for ticket, document in documents
        if document is not None
    ]
    if stored:
        theirs = and_(*(column == bindparam(f"of_{column.name}") for column in _COLUMNS))
        values: dict[str, Any] = {
            "status": bindparam("became_status"),
            "answer": bindparam("became"),
        }
        await connection.execute(update(idempotency).where(theirs).values(values), stored)
    back = [ticket.name.row for ticket, document in documents if document is None]
    if back:
        await connection.execute(delete(idempotency).where(tuple_(*_COLUMNS).in_(back)))


async def take_one(
    connection: AsyncConnection, name: Name | None, now: datetime
) -> Ticket | Remembered | Clash | None:
    """As `take`, of one request; None for one that is not to be repeated."""
    return None if name is None else (await take(connection, [name], now))[0]


async def take_new(
    connection: AsyncConnection, name: Name | None, now: datetime
) -> Ticket | Clash | None:
    """As `take_one`, for who looked before: what was done since is as if it were in flight."""
    taken = await take_one(connection, name, now)
    return Clash.IN_FLIGHT if isinstance(taken, Remembered) else taken


async def end(
    connection: AsyncConnection, taken: Ticket | Remembered | Clash | None, document: str | None
) -> None:
    """As `remember`, of one request, where it had a name."""
    if isinstance(taken, Ticket):
        await remember(connection, [(taken, None if document is None else document.encode())])


async def look(connection: AsyncConnection, name: Name, now: datetime) -> Remembered | Clash | None:
    """What became of the first request of this name, without taking it; None: there is none."""
    found = [
        row for row in (await _recall(connection, name.rows)).values() if not row.expires_at <= now
    ]
    # Under an old key there may be one that was given up, before the same was done again.
    row = next((one for one in found if one.status is not None), found[0] if found else None)
    return None if row is None else _of_another(name, row)


def _of(name: Name) -> dict[str, object]:
    """The parameters that find its row."""
    return {f"of_{column.name}": value for column, value in zip(_COLUMNS, name.row, strict=True)}


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete what is older than a day; returns how many rows.

    What would be kept longer than a rule keeps anything is kept a day from now: a
    clock that ran ahead dated it, or somebody else than a gateway.
    """
    beyond = free(idempotency, idempotency.c.expires_at > now + 2 * _KEPT)
    shortened = update(idempotency).where(beyond).values(expires_at=now + _KEPT)
    await connection.execute(shortened)
    return await delete_free(connection, idempotency, idempotency.c.expires_at <= now)


async def _recall(connection: AsyncConnection, names: Collection[_Row]) -> dict[_Row, Row[Any]]:
    """What is stored under these names; one that was given back meanwhile is missing."""
    if not names:
        return {}
    query = select(idempotency).where(tuple_(*_COLUMNS).in_(names))
    rows = await connection.execute(query)
    return {(row.api_key, row.endpoint, row.key_hash): row for row in rows}


def _of_another(name: Name, row: Row[Any] | None) -> Remembered | Clash:
    """The answer to a request whose name another one has or had."""
    if row is None:  # given back between the two statements
        return Clash.IN_FLIGHT
    if not any(one.tells(row) for one in (name.hashes, *name.others)):
        return Clash.REUSED
    return Clash.IN_FLIGHT if row.status is None else Remembered(row.answer)
