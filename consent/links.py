"""Where the links in our mails lead: confirmation tokens and unsubscribe handles.

Only hashes are found here; the handle itself is kept sealed, for composing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import LargeBinary, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Opener, Sealer
from consent import tables, tokens
from consent.keys.vault import Compartment
from storage import straight
from storage.honesty import RowKeys, Value
from storage.locks import delete_free
from storage.sound import tuples
from storage.types import among, is_name, texts, upsert
from storage.writing import insert_all

_TOKEN = bindparam("token", type_=LargeBinary())
_OF_TOKEN = select(tables.confirmation).where(tables.confirmation.c.token_hash == _TOKEN)
_ASKED_BY = (
    select(tables.confirmation_consent)
    .where(tables.confirmation_consent.c.token_hash == _TOKEN)
    .order_by(tables.confirmation_consent.c.consent)
)
_OF_SUBJECTS = select(tables.handle).where(among(tables.handle.c.subject, texts("subjects")))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What one confirmation mail asked for."""

    token_hash: bytes
    subject: str
    expires_at: datetime
    consents: tuple[str, ...]
    honest: frozenset[str] = frozenset()  # those of the consents whose stored MAC fitted

    def granting(self, consent: str) -> tuple[Value, ...]:
        """What ties the token to one of the consents, as its row is signed.

        Without it, whoever can write rows could plant a token of their own for
        somebody's pending request, and confirm it by an honest click.
        """
        return (self.token_hash, self.subject, self.expires_at, consent)


async def add_confirmations(
    connection: AsyncConnection,
    keys: RowKeys,
    confirmations: Sequence[Confirmation],
    now: datetime,
) -> None:
    """Store new tokens; *keys* keep the rows honest."""
    if not confirmations:
        return
    rows = [
        {
            "token_hash": mail.token_hash,
            "subject": mail.subject,
            "expires_at": mail.expires_at,
            "created_at": now,
        }
        for mail in confirmations
    ]
    named = [
        {
            "token_hash": mail.token_hash,
            "consent": consent,
            **keys.sign(tables.confirmation_consent.name, *mail.granting(consent))._asdict(),
        }
        for mail in confirmations
        for consent in mail.consents
    ]
    await insert_all(connection, tables.confirmation, rows)
    await insert_all(connection, tables.confirmation_consent, named)


async def confirmation(
    connection: AsyncConnection, keys: RowKeys, token_hash: bytes
) -> Confirmation | None:
    """Find what a token asked for, expired or not."""
    named = tables.confirmation_consent
    rows = await straight.rows(connection, _OF_TOKEN, {"token": token_hash})
    if not rows:
        return None
    row = rows[0]
    asked = await straight.rows(connection, _ASKED_BY, {"token": token_hash})
    consents = tuple(tie.consent for tie in asked if is_name(tie.consent))
    found = Confirmation(row.token_hash, row.subject, row.expires_at, consents)
    fitting = frozenset(
        tie.consent
        for tie in asked
        if keys.fits(named.name, tie.kid, tie.mac, found.granting(tie.consent))
    )
    # Those that do not fit are named all the same: "not me" acts on them too.
    return replace(found, honest=fitting)


async def asked(
    connection: AsyncConnection, token_hashes: Iterable[bytes]
) -> dict[bytes, tuple[str, ...]]:
    """The consents that each confirmation mail asked for, by the hash of its token."""
    found: dict[bytes, tuple[str, ...]] = {}
    wanted = set(token_hashes)
    if not wanted:
        return found
    named = tables.confirmation_consent
    query = select(named).where(named.c.token_hash.in_(wanted))
    for row in await connection.execute(query.order_by(named.c.consent)):
        if is_name(row.consent):  # else it can be asked for in no statement
            found[row.token_hash] = (*found.get(row.token_hash, ()), row.consent)
    return found


async def with_consents(connection: AsyncConnection, token_hashes: Iterable[bytes]) -> set[bytes]:
    """Those tokens that have their row, and a consent that they ask for."""
    table, named = tables.confirmation, tables.confirmation_consent
    asks = exists().where(named.c.token_hash == table.c.token_hash)
    query = select(table.c.token_hash).where(table.c.token_hash.in_(set(token_hashes)), asks)
    return set((await connection.execute(query)).scalars())


async def forget_confirmations(connection: AsyncConnection, before: datetime) -> int:
    """Delete tokens that expired before *before*; their consents stay."""
    table = tables.confirmation
    return await delete_free(connection, table, table.c.expires_at < before)


class Route(StrEnum):
    """The pages that a mail links to; each has a token of its own."""

    UNSUBSCRIBE = "unsubscribe"
    WHY = "why"
    PREFERENCES = "preferences"


_ROUTES = list(Route)
_HASHES = {
    Route.UNSUBSCRIBE: tables.handle.c.unsubscribe_hash,
    Route.WHY: tables.handle.c.why_hash,
    Route.PREFERENCES: tables.handle.c.preferences_hash,
}


@dataclass(frozen=True, slots=True)
class Handle:
    """By what a person's link to leave a purpose is found."""

    unsubscribe_hash: bytes
    replaced: bool = False  # there had been another one, and its row was gone


async def ensure_handles(
    connection: AsyncConnection,
    keys: RowKeys,
    pairs: Iterable[tuple[str, str]],
    sealer: Sealer,
    had: Collection[tuple[str, str]] = (),
) -> dict[tuple[str, str], Handle]:
    """Give each (subject, purpose) its handle; one that exists is kept for ever.

    Where there *had* been one that is gone, links of older mails lead nowhere: the new
    one says so.
    """
    wanted = sorted(set(pairs))
    before = await with_handle(connection, {subject for subject, _ in wanted})
    rows = []
    for subject, purpose in wanted:
        handle = tokens.new_handle()
        place = _place(subject, purpose)
        row = {
            "subject": subject,
            "purpose": purpose,
            "sealed": sealer.seal(subject, Compartment.PROFILE, place, handle),
            "unsubscribe_hash": tokens.hash_of(tokens.link_token(handle, Route.UNSUBSCRIBE)),
            "why_hash": tokens.hash_of(tokens.link_token(handle, Route.WHY)),
            "preferences_hash": tokens.hash_of(tokens.link_token(handle, Route.PREFERENCES)),
        }
        rows.append(row | keys.sign(tables.handle.name, *row.values())._asdict())
    if rows:
        # The first one stands: links in mails that people keep for years hang on it.
        statement = upsert(connection, tables.handle).on_conflict_do_nothing()
        await connection.execute(statement, rows)
    there = await with_handle(connection, {subject for subject, _ in wanted})
    return {
        pair: Handle(there[pair], replaced=pair in had and pair not in before) for pair in wanted
    }


async def handles(
    connection: AsyncConnection, keys: RowKeys, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """The sealed handles of each (subject, purpose); one that somebody altered is missing.

    Its links may lead nowhere: a mail that nobody can leave by must not go out.
    """
    wanted = set(pairs)
    subjects = {subject for subject, _ in wanted}
    rows = await straight.rows(connection, _OF_SUBJECTS, {"subjects": subjects})
    found = {
        (row.subject, row.purpose): row.sealed
        for row in tuples(rows, tables.handle)
        if _is_ours(keys, row)
    }
    return {pair: found[pair] for pair in wanted if pair in found}


async def with_handle(
    connection: AsyncConnection, subjects: Iterable[str]
) -> dict[tuple[str, str], bytes]:
    """The (subject, purpose) of these people that have a handle, honest or not, and its hash.

    Of a row that holds none an empty one: it fits nothing that the log tells.
    """
    handle = tables.handle
    query = select(handle.c.subject, handle.c.purpose, handle.c.unsubscribe_hash)
    query = query.where(among(handle.c.subject, subjects))
    found = {}
    for row in await connection.execute(query):
        stored: object = row.unsubscribe_hash
        found[row.subject, row.purpose] = stored if isinstance(stored, bytes) else b""
    return found


def granting(row: Any) -> tuple[Value, ...]:
    """What is signed of a handle's row: whose it is, and what its links are found by."""
    hashes = (row.unsubscribe_hash, row.why_hash, row.preferences_hash)
    return (row.subject, row.purpose, row.sealed, *hashes)


def _is_ours(keys: RowKeys, row: Any) -> bool:
    return keys.fits(tables.handle.name, row.kid, row.mac, granting(row))


def links(
    subject: str, purpose: str, sealed: bytes, opener: Opener, base: str
) -> Mapping[Route, str]:
    """The full URLs for one mail."""
    handle = opener.open(subject, Compartment.PROFILE, _place(subject, purpose), sealed)
    if handle is None:
        # Not None: a mail that nobody can unsubscribe from must not be composed.
        raise LookupError("the key of a handle is gone")
    made = tokens.link_tokens(handle, _ROUTES)
    return {route: f"{base}/{route}/{token}" for route, token in zip(_ROUTES, made, strict=True)}


async def follow(
    connection: AsyncConnection, keys: RowKeys, route: Route, token: str
) -> tuple[str, str] | None:
    """Whose (subject, purpose) a link is; None for a token that nobody has.

    Leaving never depends on a MAC: a row that somebody wrote can only take away.
    What a link shows does depend on it.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    query = select(tables.handle).where(_HASHES[route] == digest)
    row = (await connection.execute(query)).first()
    if row is None or (route is not Route.UNSUBSCRIBE and not _is_ours(keys, row)):
        return None
    return row.subject, row.purpose


def _place(subject: str, purpose: str) -> tuple[str, str, str]:
    # As it was when it was sealed: with a name changed here, no old handle opens any more.
    return ("handle", "sealed", f"{subject}/{purpose}")
