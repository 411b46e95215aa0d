"""What was acknowledged and waits to be worked off, sealed until then.

Every kind is sealed and opened here, under one binding; the row has nothing in
the clear but the look-up index of its address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, tables
from consent.address import Address
from consent.errors import AddressError, SealError, StoredError
from consent.keys import blind
from consent.keys.seal import open_sealed, seal
from consent.sign_ups import Asked, RenderedBy, SignUp
from consent.stored import Stored
from storage.ids import ordered_id
from storage.secret import Secret
from storage.types import among

intake = tables.intake
T = TypeVar("T")


class IntakeKind(StrEnum):
    """What was asked for; each kind is worked off by a duty of its own."""

    SIGN_UP = "sign-up"
    FRESH_LINK = "fresh-link"


@dataclass(frozen=True, slots=True)
class Intake:
    """One acknowledged request; *sealed* opens with the intake key *key_id*."""

    id: str
    key_id: str
    blind_index: bytes
    sealed: bytes
    received_at: datetime
    kind: IntakeKind = IntakeKind.SIGN_UP


@dataclass(frozen=True, slots=True)
class Under:
    """What a request is sealed under, and what makes the look-up index of its address."""

    key_id: str
    key: Secret
    index: Secret


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """What rows said, by their ids; such as no key opens any more are in neither.

    *damaged* are those whose key is there and that are not what we sealed under
    it, or nothing that we can read. One of them stops none of the others.
    """

    said: Mapping[str, T]
    damaged: Sequence[Intake]


def seal_sign_up(form: SignUp, under: Under, now: datetime) -> Intake:
    """The row that keeps a sign-up."""
    raw = json.dumps(asdict(form), ensure_ascii=False).encode()
    return _sealed(IntakeKind.SIGN_UP, form.email, raw, under, now)


def open_sign_ups(
    rows: Sequence[Intake], keys: Mapping[str, Secret], index: Secret
) -> Opened[SignUp]:
    """The sign-ups in *rows*, by the intake keys that are left.

    *index* is the key of the index by which people are found.
    """

    def read(stored: Stored) -> tuple[Address, SignUp]:
        form = _sign_up(stored)
        return form.email, form

    return _open(rows, keys, index, read)


def seal_fresh_link(email: Address, under: Under, now: datetime) -> Intake:
    """The row that keeps a request for a fresh link."""
    raw = json.dumps({"email": email.canonical}).encode()
    return _sealed(IntakeKind.FRESH_LINK, email, raw, under, now)


def open_fresh_links(
    rows: Sequence[Intake], keys: Mapping[str, Secret], index: Secret
) -> Opened[Address]:
    """The addresses in *rows* that a link was asked for, as `open_sign_ups`."""

    def read(stored: Stored) -> tuple[Address, Address]:
        email = address.parse(stored.text("email"))
        return email, email

    return _open(rows, keys, index, read)


def _sealed(kind: IntakeKind, email: Address, raw: bytes, under: Under, now: datetime) -> Intake:
    intake_id = ordered_id("int", now)
    index = blind.blind_index(under.index, email.canonical)
    sealed = seal(under.key.reveal(), raw, _aad(intake_id))
    return Intake(intake_id, under.key_id, index, sealed, now, kind)


def _open(
    rows: Sequence[Intake],
    keys: Mapping[str, Secret],
    index: Secret,
    read: Callable[[Stored], tuple[Address, T]],
) -> Opened[T]:
    said: dict[str, T] = {}
    damaged: list[Intake] = []
    for row in rows:
        key = keys.get(row.key_id)
        if key is None:
            continue  # destroyed on purpose
        try:
            raw = open_sealed(key.reveal(), row.sealed, _aad(row.id))
            email, opened = read(Stored.parse(raw))
        except (SealError, StoredError, AddressError):
            damaged.append(row)
            continue
        # Who is found by it is asked or mailed: it must be whose address was posted.
        if blind.blind_index(index, email.canonical) == row.blind_index:
            said[row.id] = opened
        else:
            damaged.append(row)
    return Opened(said, damaged)


def _sign_up(stored: Stored) -> SignUp:
    """`by_mailbox` is younger than the rest: rows of an older release lack it."""
    email = stored.object("email")
    return SignUp(
        form=stored.text("form"),
        email=Address(*map(email.text, ("typed", "mailbox", "canonical", "domain"))),
        locale=stored.text("locale"),
        asked=tuple(
            Asked(asked.text("purpose"), asked.text("text_hash"))
            for asked in stored.objects("asked")
        ),
        rendered_by=stored.word("rendered_by", RenderedBy),
        page_url=stored.text_or_none("page_url"),
        form_digest=stored.text_or_none("form_digest"),
        client=stored.text_or_none("client"),
        profile=stored.answers("profile"),
        by_mailbox=stored.flag("by_mailbox"),
    )


def _aad(intake_id: str) -> tuple[str, ...]:
    # With the row's id: copied into a row that names another address, a form does not open.
    return ("consentgw/intake/v1", "intake", "sealed", intake_id)


async def add(connection: AsyncConnection, rows: Sequence[Intake]) -> None:
    """Keep acknowledged requests; once committed they survive this process."""
    values = [
        {
            "id": row.id,
            "kind": row.kind,
            "key_id": row.key_id,
            "blind_index": row.blind_index,
            "sealed": row.sealed,
            "received_at": row.received_at,
        }
        for row in rows
    ]
    await connection.execute(insert(intake), values)


async def oldest(
    connection: AsyncConnection, limit: int, kind: IntakeKind = IntakeKind.SIGN_UP
) -> list[Intake]:
    """The next rows of a kind in the order of arrival; ids are time-ordered."""
    # Without a lock: keys are fetched next, and no row is held while a key store is waited for.
    query = select(intake).where(intake.c.kind == kind).order_by(intake.c.id).limit(limit)
    return [
        Intake(row.id, row.key_id, row.blind_index, row.sealed, row.received_at, kind)
        for row in await connection.execute(query)
    ]


async def lock(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Lock the rows that are still there."""
    query = select(intake.c.id).where(among(intake.c.id, ids)).order_by(intake.c.id)
    return set((await connection.execute(query.with_for_update())).scalars())


async def remove(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(delete(intake).where(among(intake.c.id, ids)))


async def keys_in_use(connection: AsyncConnection) -> set[str]:
    """Intake keys that some row still needs."""
    return set((await connection.execute(select(intake.c.key_id).distinct())).scalars())


async def waiting(connection: AsyncConnection) -> int:
    """How many requests have not been worked off."""
    return int((await connection.execute(select(func.count()).select_from(intake))).scalar_one())
