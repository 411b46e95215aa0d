"""Who showed a form's wording is proven by a stamp, once: by the sign-up that spends it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.sign_ups import RenderedBy, SignUp
from gateway.schema.tables import spent_stamp
from storage.locks import delete_free, free
from storage.types import upsert

KEPT: Final = timedelta(hours=24)
# Shorter by more than clocks differ: a stamp whose row is gone is too old to prove anything.
STAMP_LIFE: Final = KEPT - timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a stamp says of the post that it came with; *page_url* where that page is ours.

    *shown* names the specimen of what showed the form.
    """

    nonce: bytes = field(repr=False)
    rendered_by: RenderedBy
    page_url: str | None = None
    shown: str | None = None


class Use(StrEnum):
    """What a stamp is to the post that it came with."""

    FIRST = "first"  # it proves what it says
    AGAIN = "again"  # this very post was taken before
    OTHERS = "others'"  # another post spent it: it proves nothing of this one


async def spend(
    connection: AsyncConnection, posts: Sequence[tuple[Attestation, SignUp]], now: datetime
) -> list[Use]:
    """Spend the stamps of *posts*, in order; what each is to its post.

    In the transaction that keeps what was posted: a post that was not taken has
    spent nothing. Whoever comes with the same stamp meanwhile waits for its end.
    """
    named = [(_name(stamp), _mark(stamp, said)) for stamp, said in posts]
    first = dict(reversed(named))
    taken = await _take(connection, first, now)
    marks = await _recall(connection, first.keys() - taken)
    uses = []
    for name, mark in named:
        if name in taken:
            taken.remove(name)
            marks[name] = mark
            uses.append(Use.FIRST)
        else:
            uses.append(Use.AGAIN if marks.get(name) == mark else Use.OTHERS)
    return uses


def _name(stamp: Attestation) -> bytes:
    return hashlib.sha256(stamp.nonce).digest()


def _mark(stamp: Attestation, said: SignUp) -> bytes:
    """What tells a post from others: under the nonce, which is kept nowhere.

    So nobody can try addresses on it who has not seen the page itself.
    """
    asked = sorted((one.purpose, one.text_hash) for one in said.asked)
    profile = sorted(said.profile.items())
    whole = [said.form, said.email.canonical, said.locale, asked, said.page_url, profile]
    return hmac.digest(stamp.nonce, json.dumps(whole).encode(), "sha256")


async def _take(
    connection: AsyncConnection, marks: Mapping[bytes, bytes], now: datetime
) -> set[bytes]:
    """Those that nobody spent before."""
    if not marks:
        return set()
    # In one order for everybody, or two transactions could wait for each other's rows.
    rows = [
        {"nonce_hash": name, "post_mark": marks[name], "spent_at": now} for name in sorted(marks)
    ]
    statement = upsert(connection, spent_stamp).on_conflict_do_nothing()
    taken = await connection.execute(statement.returning(spent_stamp.c.nonce_hash), rows)
    return set(taken.scalars())


async def _recall(connection: AsyncConnection, names: Collection[bytes]) -> dict[bytes, bytes]:
    """The marks of the posts that spent these."""
    if not names:
        return {}
    query = select(spent_stamp.c.nonce_hash, spent_stamp.c.post_mark)
    found = await connection.execute(query.where(spent_stamp.c.nonce_hash.in_(names)))
    return {row.nonce_hash: row.post_mark for row in found}


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Forget stamps that are too old to prove anything; returns how many.

    One that was spent later than now was so by a clock that ran ahead, and counts from now.
    """
    ahead = free(spent_stamp, spent_stamp.c.spent_at > now)
    await connection.execute(update(spent_stamp).where(ahead).values(spent_at=now))
    return await delete_free(connection, spent_stamp, spent_stamp.c.spent_at <= now - KEPT)
