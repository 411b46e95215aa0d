"""The wordings that people agree to: immutable, and named by their hash.

docs/formats/consent-text.md defines the bytes. They are hashed again whenever
they are read: a row whose bytes are not what it is named by is no wording, and
is shown to nobody under that name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import rfc8785
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.errors import TextError
from storage import straight
from storage.types import among, texts, upsert

consent_text = tables.consent_text
_BY_HASH = select(consent_text).where(among(consent_text.c.hash, texts("hashes")))
privacy_notice = tables.privacy_notice


class Controller(Protocol):
    """The legal entity, as a wording names it."""

    @property
    def name(self) -> str: ...
    @property
    def postal_address(self) -> str: ...
    @property
    def contact(self) -> str: ...


class Sender(Protocol):
    """The brand, as a wording names it."""

    @property
    def name(self) -> str: ...
    @property
    def from_address(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Text:
    """One wording as it was shown, for one purpose in one language."""

    hash: str
    purpose: str
    locale: str
    bundle: Mapping[str, Any]
    current: bool  # the configuration still has it; sign-up pages show these
    published_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """One privacy notice in one language, the bytes that its hash is of."""

    hash: str
    locale: str
    body: bytes


@dataclass(frozen=True, slots=True)
class PublishedNotice(Notice):
    """A notice as it is kept."""

    published_at: datetime


class Retirement(StrEnum):
    """What became of the wish to retire a text."""

    RETIRED = "retired"
    NOT_FOUND = "not_found"
    STILL_CURRENT = "still_current"  # pages show it; take it out of the configuration first


def bundle(
    *,
    purpose: str,
    locale: str,
    title: str,
    text: str,
    controller: Controller,
    sender: Sender,
    notice_hash: str,
    imprint_url: str,
    withdraw: str,
) -> bytes:
    """Everything that a page shows of one consent, as the bytes whose hash names it."""
    document: dict[str, Any] = {
        "purpose": purpose,
        "locale": locale,
        "title": title,
        "text": text,
        "controller": {
            "name": controller.name,
            "postal_address": controller.postal_address,
            "contact": controller.contact,
        },
        "sender": {"name": sender.name, "from_address": sender.from_address},
        "notice": notice_hash,
        "imprint_url": imprint_url,
        "withdraw": withdraw,
    }
    return rfc8785.dumps(document)


def text_hash(raw: bytes) -> str:
    """The name of a wording, from what `bundle` made."""
    return _hash(raw)


def notice_hash(body: bytes) -> str:
    """The name of a privacy notice."""
    return _hash(body)


def notice_of(locale: str, body: str) -> Notice:
    """A notice ready to be published."""
    raw = body.encode()
    return Notice(notice_hash(raw), locale, raw)


async def publish(
    connection: AsyncConnection,
    bundles: Collection[bytes],
    notices: Collection[Notice],
    now: datetime,
) -> list[str]:
    """Make these the current texts and keep their notices; return the hashes that are new.

    Stage `text.published` for each of those in the same transaction. Texts that
    are current no longer stay valid until they are retired. A text that was
    retired and is in the configuration again is new again; so is one whose row
    somebody altered: here its bytes are known, and it is put back.
    """
    texts = {text_hash(raw): raw for raw in bundles}
    await _keep_notices(connection, notices, now)
    # Several nodes start at once: whoever comes second finds everything done.
    query = select(consent_text).order_by(consent_text.c.hash).with_for_update()
    kept = {row.hash: row for row in await connection.execute(query)}
    added = await _add(connection, {h: raw for h, raw in texts.items() if h not in kept}, now)
    known = {digest: raw for digest, raw in texts.items() if digest in kept}
    again = [digest for digest in known if kept[digest].retired_at is not None]
    await _revive(connection, again, now)
    altered = [digest for digest in known if not _is_whole(kept[digest])]
    await _put_back(connection, {digest: known[digest] for digest in altered})
    await _mark_current(connection, texts.keys())
    return sorted({*added, *again, *altered})


async def valid(connection: AsyncConnection) -> dict[str, Text]:
    """Every text that may be agreed to: ever published, not retired."""
    query = select(consent_text).where(consent_text.c.retired_at.is_(None))
    return _by_hash(await connection.execute(query))


async def get(connection: AsyncConnection, hashes: Collection[str]) -> dict[str, Text]:
    """Texts by hash, retired or not: what people once agreed to can be shown.

    One that is missing was altered or deleted by somebody else: we do neither.
    """
    return _by_hash(await straight.rows(connection, _BY_HASH, {"hashes": hashes}))


async def was_asked(connection: AsyncConnection, purpose: str) -> bool:
    """Whether there is or was a wording for *purpose*: people may have agreed to it."""
    query = select(consent_text.c.hash).where(consent_text.c.purpose == purpose).limit(1)
    return (await connection.execute(query)).first() is not None


async def list_texts(connection: AsyncConnection) -> list[Text]:
    """Every text there ever was, by purpose and language, oldest first."""
    columns = consent_text.c
    query = select(consent_text).order_by(
        columns.purpose, columns.locale, columns.published_at, columns.hash
    )
    return list(_by_hash(await connection.execute(query)).values())


async def kept(connection: AsyncConnection) -> tuple[list[bytes], list[PublishedNotice]]:
    """The bytes of every wording and notice that is what its hash says, for who checks a log."""
    wordings = await connection.execute(select(consent_text).order_by(consent_text.c.hash))
    notices = await connection.execute(select(privacy_notice).order_by(privacy_notice.c.hash))
    read = [_notice(row) for row in notices]
    raw = [row.bundle for row in wordings if _named(row.hash, row.bundle) is not None]
    return raw, [notice for notice in read if notice is not None]


async def altered(connection: AsyncConnection) -> list[str]:
    """Name the texts and notices that are not what their hash says, or gone, by table and hash."""
    wordings = (await connection.execute(select(consent_text))).all()
    notices = (await connection.execute(select(privacy_notice))).all()
    found = [f"{consent_text.name} {row.hash}" for row in wordings if not _is_whole(row)]
    # Also one that a wording names, and that is not there.
    wanted = {str(text.bundle.get("notice")) for text in _by_hash(wordings).values()}
    whole = {row.hash for row in notices if _notice(row) is not None}
    broken = (wanted | {row.hash for row in notices}) - whole
    return [*found, *(f"{privacy_notice.name} {name}" for name in sorted(map(str, broken)))]


async def ended(connection: AsyncConnection) -> dict[str, bool]:
    """Of every text that there is, whether it was retired; whatever else its row holds."""
    query = select(consent_text.c.hash, consent_text.c.retired_at)
    return {row.hash: row.retired_at is not None for row in await connection.execute(query)}


async def outlook(connection: AsyncConnection, text: str) -> Retirement:
    """What `retire` would answer now; changes nothing."""
    query = select(consent_text.c.current).where(consent_text.c.hash == text)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Retirement.NOT_FOUND
    return Retirement.STILL_CURRENT if row.current else Retirement.RETIRED


async def retire(connection: AsyncConnection, text: str, now: datetime) -> Retirement:
    """Let nobody agree to a text any more; consents to it stand. Repeating is harmless."""
    # Locked, or a node that starts meanwhile makes it current while it is being retired.
    query = select(consent_text).where(consent_text.c.hash == text).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Retirement.NOT_FOUND
    if row.current:
        return Retirement.STILL_CURRENT
    statement = update(consent_text).where(
        consent_text.c.hash == text, consent_text.c.retired_at.is_(None)
    )
    await connection.execute(statement.values(retired_at=now))
    return Retirement.RETIRED


async def notice(connection: AsyncConnection, hash: str) -> PublishedNotice | None:
    """A privacy notice that some text names, current or not."""
    query = select(privacy_notice).where(privacy_notice.c.hash == hash)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _notice(row)


def _hash(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


async def _keep_notices(
    connection: AsyncConnection, notices: Collection[Notice], now: datetime
) -> None:
    # In one order, for several nodes start at once and would wait for each other's rows.
    unique = {notice.hash: notice for notice in notices}
    rows = [
        {"hash": key, "locale": notice.locale, "body": notice.body, "published_at": now}
        for key, notice in sorted(unique.items())
    ]
    if rows:
        statement = upsert(connection, privacy_notice).values(rows)
        there = statement.excluded.body
        # Only a row that somebody altered is written: its bytes are put back.
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[privacy_notice.c.hash],
                set_={"body": there},
                where=privacy_notice.c.body.is_distinct_from(there),
            )
        )


async def _add(connection: AsyncConnection, texts: Mapping[str, bytes], now: datetime) -> list[str]:
    if not texts:
        return []
    rows = [
        {"hash": key, **_columns(raw), "published_at": now} for key, raw in sorted(texts.items())
    ]
    statement = upsert(connection, consent_text).values(rows).on_conflict_do_nothing()
    return list((await connection.execute(statement.returning(consent_text.c.hash))).scalars())


def _columns(raw: bytes) -> dict[str, Any]:
    document = _read(raw)
    return {
        "purpose": document["purpose"],
        "locale": document["locale"],
        "bundle": raw,
        "current": True,
    }


async def _revive(connection: AsyncConnection, texts: Sequence[str], now: datetime) -> None:
    if texts:
        statement = update(consent_text).where(consent_text.c.hash.in_(texts))
        await connection.execute(statement.values(retired_at=None, published_at=now))


async def _put_back(connection: AsyncConnection, texts: Mapping[str, bytes]) -> None:
    for digest, raw in texts.items():
        statement = update(consent_text).where(consent_text.c.hash == digest)
        await connection.execute(statement.values(_columns(raw)))


async def _mark_current(connection: AsyncConnection, texts: Collection[str]) -> None:
    """Only rows that change are written: a start with the same configuration writes none."""
    shown = consent_text.c.hash.in_(set(texts))
    for condition, current in ((shown, True), (~shown, False)):
        statement = update(consent_text).where(condition, consent_text.c.current.is_(not current))
        await connection.execute(statement.values(current=current))


def _read(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
        canonical = rfc8785.dumps(document)
        named = isinstance(document["purpose"], str) and isinstance(document["locale"], str)
    except (ValueError, KeyError, TypeError, rfc8785.CanonicalizationError, RecursionError):
        raise TextError("a consent text is a canonical JSON object") from None
    # One spelling only: with a second, the same wording would have two names to be proven by.
    if canonical != raw or not named:
        raise TextError("a consent text is a canonical JSON object")
    return dict(document)


def _by_hash(rows: Iterable[Any]) -> dict[str, Text]:
    read = (_text(row) for row in rows)
    return {text.hash: text for text in read if text is not None}


def _text(row: Any) -> Text | None:
    """A text whose bytes have the hash that names it; whose it is stands in them."""
    document = _named(row.hash, row.bundle)
    if document is None:
        return None
    return Text(
        hash=row.hash,
        purpose=document["purpose"],
        locale=document["locale"],
        bundle=document,
        current=row.current,
        published_at=row.published_at,
        retired_at=row.retired_at,
    )


def _is_whole(row: Any) -> bool:
    """Whether a row is what its hash names, and says of it what its bytes say."""
    text = _text(row)
    return text is not None and (row.purpose, row.locale) == (text.purpose, text.locale)


def _named(name: str, raw: object) -> dict[str, Any] | None:
    # Of any type: SQLite keeps anything anywhere.
    if not isinstance(raw, bytes) or _hash(raw) != name:
        return None
    try:
        return _read(raw)
    except TextError:
        return None  # nothing that is published here; somebody gave it the right name


def _notice(row: Any) -> PublishedNotice | None:
    if not isinstance(row.body, bytes) or notice_hash(row.body) != row.hash:
        return None
    return PublishedNotice(row.hash, row.locale, row.body, row.published_at)
