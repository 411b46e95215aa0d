"""Addresses that must not be mailed, or not be asked again, by keyed hash.

The hash has a key of its own, so that this table cannot be joined with the
blind index by whoever holds only the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, case, func, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, deadlines, tables
from consent.address import Address
from consent.keys import blind
from storage.ids import ordered_id
from storage.keysets import KeySet
from storage.locks import delete_free, free
from storage.secret import Secret
from storage.types import among_hashes, upsert
from storage.writing import insert_all

suppression = tables.suppression
counted = tables.confirmation_count

_BLOCKED_MONTHS = 12
CONFIRMATIONS_A_WEEK = 3
TAGGED_CONFIRMATIONS_A_WEEK = 2  # so that tags, which cost nothing, leave one for the plain address
KEPT_CONFIRMATIONS = 1  # of the week's, for a neighbourhood that has not asked for the mailbox yet
WEEK = timedelta(days=7)


class Stop(StrEnum):
    """What a suppression forbids."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    ASKING = "asking"  # no confirmation mails: "not me", complaint, objection
    SERVICE = "service"  # nor fresh links: the mailbox itself stopped both


@dataclass(frozen=True, slots=True)
class Suppression:
    address_hash: bytes
    kind: Stop
    until: datetime | None = None
    kid: int = field(kw_only=True)  # of the set `suppression`: what made the hash


def blocked_until(said_at: datetime) -> datetime:
    """Twelve months later, as pages and notices say: a leap year has a day more."""
    day = deadlines.months_after(said_at.date(), _BLOCKED_MONTHS)
    return datetime.combine(day, said_at.timetz())


def mailbox_hash(key: Secret, email: Address) -> bytes:
    """What keeps a mailbox from being asked, however it is spelled.

    Only asking folds: who is mailed, and who leaves, is the person of one spelling.
    """
    return blind.suppression_hash(key, address.folded(email))


def hashes_of(keys: KeySet, email: Address) -> list[bytes]:
    """By which a block of asking this address may stand, under each key that made one.

    The first release blocked one spelling alone.
    """
    spellings = dict.fromkeys([address.folded(email), email.canonical])
    secrets = keys.live.values()
    return [blind.suppression_hash(key, one) for key in secrets for one in spellings]


async def add(
    connection: AsyncConnection, suppressions: Sequence[Suppression], now: datetime
) -> None:
    """Suppress; what is suppressed already stays so at least as long."""
    # In one order for everybody, or two transactions could wait for each other's rows.
    for new in sorted(suppressions, key=lambda new: (new.address_hash, new.kind)):
        row = {
            "address_hash": new.address_hash,
            "kid": new.kid,
            "kind": new.kind,
            "since": now,
            "until": new.until,
        }
        statement = upsert(connection, suppression).values(row)
        held, wanted = suppression.c.until, statement.excluded.until
        # The later end stands, and none is the latest: a new block must not shorten one that holds.
        for_ever = or_(held.is_(None), wanted.is_(None))
        longer = case((for_ever, null()), (wanted > held, wanted), else_=held)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["address_hash", "kind"], set_={"until": longer}
            )
        )


async def lift(
    connection: AsyncConnection, keys: KeySet, email: Address, kind: Stop | None = None
) -> None:
    """Forget every block of a mailbox, or those of one kind, under each key that made one."""
    theirs = suppression.c.address_hash.in_(hashes_of(keys, email))
    gone = theirs if kind is None else and_(theirs, suppression.c.kind == kind)
    await delete_free(connection, suppression, gone)


@dataclass(frozen=True, slots=True)
class Blocked:
    """What stands of a mailbox, for its person."""

    kind: Stop
    since: datetime
    until: datetime | None


async def standing(
    connection: AsyncConnection, keys: KeySet, email: Address, now: datetime
) -> list[Blocked]:
    """Every block of a mailbox that is in force, under each key that made one."""
    query = select(suppression).where(
        suppression.c.address_hash.in_(hashes_of(keys, email)),
        or_(suppression.c.until.is_(None), suppression.c.until > now),
    )
    rows = await connection.execute(query.order_by(suppression.c.since))
    return [Blocked(_stop(row.kind), row.since, row.until) for row in rows]


async def in_force(
    connection: AsyncConnection, address_hashes: Iterable[bytes], now: datetime
) -> dict[bytes, set[Stop]]:
    query = select(suppression.c.address_hash, suppression.c.kind).where(
        among_hashes(connection, suppression.c.address_hash, address_hashes),
        or_(suppression.c.until.is_(None), suppression.c.until > now),
    )
    found: dict[bytes, set[Stop]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.address_hash, set()).add(_stop(row.kind))
    return found


def _stop(stored: object) -> Stop:
    """A word that we never wrote forbids to ask: whoever wrote it could have written that."""
    return next((stop for stop in Stop if stop == stored), Stop.ASKING)


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was counted in the last seven days, and when last."""

    times: int = 0
    last_at: datetime | None = None

    def since(self, moment: datetime) -> bool:
        """Whether it was counted after *moment*."""
        return self.last_at is not None and self.last_at > moment


async def confirmations_counted(
    connection: AsyncConnection, address_keys: Collection[bytes], now: datetime
) -> dict[bytes, Count]:
    """Confirmation mails of the last seven days under each key.

    What a clock that ran ahead dated counts as of *now*, or it would count until that comes.
    Only one process counts at a time.
    """
    theirs = among_hashes(connection, counted.c.address_key, address_keys)
    # By the database: a date that somebody wrote may be none that can be read here.
    is_ahead = counted.c.sent_at > now
    at_most_now = case((is_ahead, literal(now, counted.c.sent_at.type)), else_=counted.c.sent_at)
    query = (
        select(
            counted.c.address_key,
            func.count(),
            func.max(at_most_now),
            func.count().filter(is_ahead),
        )
        .where(theirs, counted.c.sent_at > now - WEEK)
        .group_by(counted.c.address_key)
    )
    rows = (await connection.execute(query)).all()
    if any(ahead for _, _, _, ahead in rows):
        late = update(counted).where(theirs, is_ahead)
        await connection.execute(late.values(sent_at=now))
    return {key: Count(times, last_at) for key, times, last_at, _ in rows}


async def counted_lately(
    connection: AsyncConnection, address_keys: Collection[bytes], now: datetime
) -> set[bytes]:
    """Those of these keys that something was counted under. Changes nothing."""
    query = select(counted.c.address_key).distinct()
    query = query.where(
        among_hashes(connection, counted.c.address_key, address_keys),
        counted.c.sent_at > now - WEEK,
    )
    return set((await connection.execute(query)).scalars())


async def how_often(
    connection: AsyncConnection, address_keys: Collection[bytes], now: datetime
) -> int:
    """How often something was counted under these keys in the last seven days. Changes nothing."""
    query = select(func.count()).where(
        among_hashes(connection, counted.c.address_key, address_keys),
        counted.c.sent_at > now - WEEK,
    )
    return int((await connection.execute(query)).scalar_one())


async def count_mails(
    connection: AsyncConnection, address_keys: Sequence[bytes], now: datetime
) -> None:
    rows = [
        {"id": ordered_id("cnt", now), "address_key": key, "sent_at": now} for key in address_keys
    ]
    await insert_all(connection, counted, rows)


async def purge(connection: AsyncConnection, now: datetime) -> None:
    """Forget what forbids nothing any more; what is dated ahead is so a week from *now*."""
    ahead = update(counted).where(free(counted, counted.c.sent_at > now))
    await connection.execute(ahead.values(sent_at=now))
    await delete_free(connection, counted, counted.c.sent_at <= now - WEEK)
    await delete_free(connection, suppression, suppression.c.until <= now)
