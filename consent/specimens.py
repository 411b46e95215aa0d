"""What was shown to people, or sent, without what was theirs: forms, pages, mails, templates.

Named by the hash of its bytes, as wordings are, and hashed again whenever it is read: a row
whose bytes are not what it is named by shows nothing. Proof of a consent names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.shown_tables import specimen
from storage import straight
from storage.types import among, texts, upsert

_NAMED = select(specimen).where(among(specimen.c.hash, texts("names")))


class What(StrEnum):
    """What it is a specimen of."""

    MAIL = "mail"  # what all mails of a kind share: `delivery.remaking`
    FORM = "form"  # our hosted page, as nobody has typed anything yet
    SCRIPT = "script"  # our script, which shows a form on another page
    DEFINITION = "definition"  # what a form asks, for what, in which words
    PAGE = "page"  # the page behind a confirmation mail's link, without answers
    TEMPLATE = "template"  # a version of an operator's template: `delivery.template_source`


@dataclass(frozen=True, slots=True)
class Specimen:
    """The bytes that its name is the hash of; there is nothing of anybody in them."""

    what: What
    body: bytes

    @property
    def name(self) -> str:
        return name_of(self.body)


def name_of(body: bytes) -> str:
    """By what bytes are named."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


async def keep(connection: AsyncConnection, shown: Iterable[Specimen], now: datetime) -> None:
    """Keep these, in the transaction of what names them.

    One whose row somebody altered is put back: its bytes are known here.
    """
    wanted = {one.name: one for one in shown}
    if not wanted:
        return
    there = await _rows(connection, wanted)
    whole = {row.hash for row in there if _is_whole(row)}
    # In one order, for several processes keep the same at once and would wait for each other.
    rows = [
        {"hash": name, "what": one.what, "body": one.body, "kept_at": now}
        for name, one in sorted(wanted.items())
        if name not in whole
    ]
    if rows:
        statement = upsert(connection, specimen).values(rows)
        put = {"body": statement.excluded.body, "what": statement.excluded.what}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=[specimen.c.hash], set_=put)
        )


async def not_whole(connection: AsyncConnection, shown: Iterable[Specimen]) -> Sequence[Specimen]:
    """Those of these that `keep` has to write: nothing that is there goes."""
    wanted = {one.name: one for one in shown}
    whole = await get(connection, wanted)
    return [one for name, one in wanted.items() if name not in whole]


async def get(connection: AsyncConnection, names: Collection[str]) -> dict[str, Specimen]:
    """Those of these that are what their name says; what is missing was altered, or deleted."""
    rows = await _rows(connection, names) if names else []
    return {row.hash: Specimen(What(row.what), row.body) for row in rows if _is_whole(row)}


async def missing(connection: AsyncConnection, names: Collection[str]) -> list[str]:
    """Those of these that are not there at all."""
    there = {row.hash for row in await _rows(connection, names)} if names else set()
    return sorted(set(names) - there)


async def broken(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of these that are there, and are not what their name says."""
    rows = await _rows(connection, names) if names else []
    return {row.hash for row in rows if not _is_whole(row)}


async def every(connection: AsyncConnection) -> list[Specimen]:
    """All that are what their name says, by name, for who checks a log."""
    rows = (await connection.execute(select(specimen).order_by(specimen.c.hash))).all()
    return [Specimen(What(row.what), row.body) for row in rows if _is_whole(row)]


async def altered(connection: AsyncConnection) -> list[str]:
    """Name the rows that are not what their hash says."""
    rows = (await connection.execute(select(specimen).order_by(specimen.c.hash))).all()
    return [f"{specimen.name} {row.hash}" for row in rows if not _is_whole(row)]


async def _rows(connection: AsyncConnection, names: Collection[str]) -> list[Any]:
    return [*await straight.rows(connection, _NAMED, {"names": names})]


def _is_whole(row: Any) -> bool:
    # Of any type: SQLite keeps anything anywhere.
    known = row.what in set(What)
    return known and isinstance(row.body, bytes) and name_of(row.body) == row.hash
