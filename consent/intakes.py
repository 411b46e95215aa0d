"""What was acknowledged and waits to be worked off, sealed until then.

Every kind is sealed and opened here, under one binding; the row has nothing in
the clear but the look-up index of its address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, tables
from consent.address import Address
from consent.errors import AddressError, SealError, StoredError
from consent.keys import blind
from consent.keys.seal import open_sealed, seal
from consent.sign_ups import Asked, Caller, RenderedBy, SignUp
from consent.stored import Stored
from storage import bad_rows, straight
from storage.ids import moment_of, ordered_id
from storage.locks import delete_free
from storage.secret import Secret
from storage.sound import fits, sound
from storage.types import among
from storage.writing import insert_all

intake = tables.intake
NAME = intake.name
T = TypeVar("T")
_REST_OF_IT = timedelta(microseconds=999)


class IntakeKind(StrEnum):
    """What was asked for; each kind is worked off by a duty of its own."""

    SIGN_UP = "sign-up"
    FRESH_LINK = "fresh-link"
    ADDRESS = "address"
    SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True)
class Intake:
    """One acknowledged request; *sealed* opens with the intake key *key_id*."""

    id: str
    key_id: str
    blind_index: bytes
    sealed: bytes
    received_at: datetime
    kind: IntakeKind = IntakeKind.SIGN_UP
    index_kid: int | None = None

    @property
    def sealed_at(self) -> datetime:
        """When it was received, as far as its seal holds: the id has the millisecond.

        Whoever writes rows may date one back, which makes it count for less, and
        cannot date it after somebody left.
        """
        return min(self.received_at, moment_of(self.id) + _REST_OF_IT)


@dataclass(frozen=True, slots=True)
class Under:
    """What a request is sealed under, and what makes the look-up index of its address."""

    key_id: str
    key: Secret
    index_kid: int
    index: Secret


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """What rows said, by their ids; such as no key opens any more are in neither.

    *damaged* are those whose key is there and that are not what we sealed under
    it, or nothing that we can read. One of them stops none of the others.
    """

    said: Mapping[str, T]
    damaged: Sequence[Intake]


# Made once: each tick asks them, and making them took longer than the answer.
_OF_KIND = select(intake).where(intake.c.kind == bindparam("of"), sound(intake))
_MOST = bindparam("most", type_=Integer)
_OLDEST = bad_rows.first(_OF_KIND, intake.c.id).order_by(intake.c.id).limit(_MOST)
_AGAIN = bad_rows.again(_OF_KIND, intake.c.id).limit(_MOST)
_KINDS = select(*(exists().where(intake.c.kind == kind).label(kind) for kind in IntakeKind))


def seal_sign_up(form: SignUp, under: Under, now: datetime) -> Intake:
    """The row that keeps a sign-up."""
    raw = json.dumps(_document(form), ensure_ascii=False).encode()
    return _sealed(IntakeKind.SIGN_UP, form.email, raw, under, now)


def _document(form: SignUp) -> dict[str, object]:
    # Written out: `asdict` copies deeply, which took forty microseconds of each sign-up.
    email = form.email
    document: dict[str, object] = {
        "form": form.form,
        "email": {
            "typed": email.typed,
            "mailbox": email.mailbox,
            "canonical": email.canonical,
            "domain": email.domain,
        },
        "locale": form.locale,
        "asked": [{"purpose": asked.purpose, "text_hash": asked.text_hash} for asked in form.asked],
        "rendered_by": form.rendered_by,
        "page_url": form.page_url,
        "form_digest": form.form_digest,
        "client": form.client,
        "profile": dict(form.profile),
        "by_mailbox": form.by_mailbox,
    }
    if form.by_link:
        document["by_link"] = True
    if form.shown is not None:
        document["shown"] = form.shown
    if form.caller is not None:
        document["caller"] = form.caller.facts()
    if form.network is not None:
        document["network"] = form.network
    if form.external_ids:
        document["external_ids"] = dict(form.external_ids)
    if form.origins:
        document["origins"] = list(form.origins)
    return document


def open_sign_ups(rows: Sequence[Intake], keys: Mapping[str, Secret]) -> Opened[SignUp]:
    """The sign-ups in *rows*, by the intake keys that are left."""
    return _open(rows, keys, _sign_up)


def seal_fresh_link(
    email: Address, under: Under, now: datetime, kind: IntakeKind = IntakeKind.FRESH_LINK
) -> Intake:
    """The row that keeps a request for a fresh link: to one's own data, or to the desk."""
    raw = json.dumps({"email": email.canonical}).encode()
    return _sealed(kind, email, raw, under, now)


def open_fresh_links(rows: Sequence[Intake], keys: Mapping[str, Secret]) -> Opened[Address]:
    """The addresses in *rows* that a link was asked for, by the intake keys that are left."""
    return _open(rows, keys, lambda stored: address.parse(stored.text("email")))


@dataclass(frozen=True, slots=True)
class NewAddress:
    """Somebody wants their mails to go there from now on; from where they ask, as a sign-up."""

    subject: str
    email: Address = field(repr=False)
    network: str | None = field(default=None, repr=False)


def seal_new_address(asked: NewAddress, under: Under, now: datetime) -> Intake:
    """The row that keeps that somebody asked for another address."""
    said = {"subject": asked.subject, "email": asked.email.typed, "network": asked.network}
    return _sealed(IntakeKind.ADDRESS, asked.email, json.dumps(said).encode(), under, now)


def open_new_addresses(rows: Sequence[Intake], keys: Mapping[str, Secret]) -> Opened[NewAddress]:
    """What was asked for in *rows*, by the intake keys that are left."""
    return _open(rows, keys, _new_address)


def _new_address(stored: Stored) -> NewAddress:
    email = address.parse(stored.text("email"))
    return NewAddress(stored.text("subject"), email, stored.text_or_none("network"))


def _sealed(kind: IntakeKind, email: Address, raw: bytes, under: Under, now: datetime) -> Intake:
    intake_id = ordered_id("int", now)
    index = blind.blind_index(under.index, email.canonical)
    sealed = seal(under.key.reveal(), raw, _aad(intake_id))
    return Intake(intake_id, under.key_id, index, sealed, now, kind, under.index_kid)


def _open(
    rows: Sequence[Intake], keys: Mapping[str, Secret], read: Callable[[Stored], T]
) -> Opened[T]:
    said: dict[str, T] = {}
    damaged: list[Intake] = []
    for row in rows:
        key = keys.get(row.key_id)
        if key is None:
            continue  # destroyed on purpose
        try:
            raw = open_sealed(key.reveal(), row.sealed, _aad(row.id))
            said[row.id] = read(Stored.parse(raw))
        except (SealError, StoredError, AddressError):
            damaged.append(row)
    return Opened(said, damaged)


def _sign_up(stored: Stored) -> SignUp:
    """Rows of an older release lack `by_mailbox`, `by_link`, `network` and `origins`."""
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
        external_ids=stored.answers("external_ids"),
        by_mailbox=stored.flag("by_mailbox"),
        by_link=stored.flag("by_link"),
        shown=stored.text_or_none("shown"),
        caller=Caller.told_in(stored),
        network=stored.text_or_none("network"),
        origins=stored.texts("origins") if stored.has("origins") else (),
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
            "index_kid": row.index_kid,
            "sealed": row.sealed,
            "received_at": row.received_at,
        }
        for row in rows
    ]
    await insert_all(connection, intake, values)


async def oldest(
    connection: AsyncConnection,
    limit: int,
    now: datetime,
    kind: IntakeKind = IntakeKind.SIGN_UP,
) -> list[Intake]:
    """The next rows of a kind in the order of arrival; ids are time-ordered.

    Behind them, if there is room, those that were parked and whose time has come.
    Rows that hold what no gateway writes are passed over: see `unreadable`.
    """
    # Without a lock: keys are fetched next, and no row is held while a key store is waited for.
    asked = {"of": kind, **bad_rows.at(now)}
    rows = [*await straight.rows(connection, _OLDEST, {"most": limit, **asked})]
    if room := limit - len(rows):
        rows += await straight.rows(connection, _AGAIN, {"most": room, **asked})
    return [
        Intake(row.id, row.key_id, row.blind_index, row.sealed, row.received_at, kind)
        for row in rows
    ]


async def lock(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Lock the rows that are still there."""
    query = select(intake.c.id).where(among(intake.c.id, ids)).order_by(intake.c.id)
    return set((await connection.execute(query.with_for_update())).scalars())


async def remove(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(delete(intake).where(among(intake.c.id, ids)))


async def kinds(connection: AsyncConnection) -> list[IntakeKind]:
    """Of which kinds there are rows at all: a tick with nothing to do asks no more than this."""
    (there,) = await straight.rows(connection, _KINDS)
    return [kind for kind, waits in zip(IntakeKind, there, strict=True) if waits]


async def oldest_received(connection: AsyncConnection) -> datetime | None:
    """When the oldest request that waits was received, whatever its kind; None: none waits."""
    # Not of the first by id: an id that somebody chose would stand for all that came before.
    query = select(func.min(intake.c.received_at)).where(sound(intake))
    oldest: datetime | None = (await connection.execute(query)).scalar_one()
    return oldest


async def asking_again(connection: AsyncConnection, blind_indexes: Collection[bytes]) -> set[bytes]:
    """Those of these addresses for which something waits."""
    query = select(intake.c.blind_index).where(intake.c.blind_index.in_(set(blind_indexes)))
    return set((await connection.execute(query)).scalars())


async def keys_in_use(connection: AsyncConnection) -> set[str]:
    """Intake keys that some row still needs."""
    return set((await connection.execute(select(intake.c.key_id).distinct())).scalars())


async def indexed_by(connection: AsyncConnection, kid: int) -> bool:
    """Whether any request waits whose address is known by that look-up key."""
    query = select(intake.c.id).where(intake.c.index_kid == kid).limit(1)
    return (await connection.execute(query)).first() is not None


async def give_up(connection: AsyncConnection, now: datetime, kept: timedelta) -> int:
    """Delete parked requests, and what nobody can work off, once *kept*; returns how many.

    Nobody waits for an answer to them any more, and nothing is kept without a reason:
    each keeps its key, and the marks of who left since. What only waits is left alone.
    """
    parked = exists().where(bad_rows.parked.c.table == NAME, bad_rows.parked.c.row == intake.c.id)
    over = and_(parked.correlate(intake), sound(intake), _is_over(now, kept))
    ids = list((await connection.execute(select(intake.c.id).where(over))).scalars())
    await bad_rows.release(connection, NAME, ids)
    given_up = await delete_free(connection, intake, among(intake.c.id, ids))
    lost = and_(_is_nobodys(), _is_over(now, kept))
    await bad_rows.forget(connection, intake.c.id, lost)
    return given_up + await delete_free(connection, intake, lost)


def _is_over(now: datetime, kept: timedelta) -> ColumnElement[bool]:
    """By when it was received. A date that no clock of ours can have run ahead to counts for none.

    Without a date nobody could say when its time comes.
    """
    received = intake.c.received_at
    return or_(not_(fits(received)), received <= now - kept, received > now + kept)


def _is_nobodys() -> ColumnElement[bool]:
    """Whether a row holds what no gateway writes, or is of a kind that no duty of ours works off.

    A later release may have one, while an upgrade rolls.
    """
    return or_(not_(sound(intake)), intake.c.kind.not_in(list(IntakeKind)))


async def unreadable(connection: AsyncConnection) -> int:
    """How many rows nobody works off."""
    query = select(func.count()).select_from(intake).where(_is_nobodys())
    return int((await connection.execute(query)).scalar_one())


async def waiting(connection: AsyncConnection) -> int:
    """How many requests have not been worked off."""
    return int((await connection.execute(select(func.count()).select_from(intake))).scalar_one())
