"""Links of mails about a person's address: to the new one, which asks, and to the one of before.

And of those that tell the mailbox on file that a stop was lifted: which, and of a pause until when
it would have been. Each row says where its mail goes, sealed, and what the link in it is found by,
as a keyed hash: who writes rows can make no link, and send a mail nowhere else. That a link was
spent the log tells too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Opener, Sealer
from audit.kinds import Kind
from audit.trail import Told
from consent import address, tables, tokens
from consent.address import Address
from consent.errors import AddressError
from consent.keys.vault import Compartment
from consent.moving import A_WEEK, DAY, LIVES, TAKEN_BACK_WITHIN, Towards
from consent.stop_proofs import Lifted
from consent.subject_evidence import Corrected
from storage.honesty import RowKeys, Value
from storage.ids import ordered_id
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import among

link = tables.address_link

ENDING = frozenset({Kind.SUBJECT_RECTIFIED, Kind.SUBJECT_ADDRESS_KEPT, Kind.SUBJECT_STOPPED_AGAIN})
_NAMED = "adr"
KEPT = TAKEN_BACK_WITHIN  # so long no row goes by itself of a mail to the mailbox on file
_USE = "address_link.token"
_MOMENTS = ("created_at", "expires_at", "spent_at")
_BACK = (Towards.OLD, Towards.LIFTED)  # what a mailbox undoes by, whosever it is by then
_OF_STOPS = ("lifted", "paused_until")
_SIGNED = ("id", "kind", "token_hash", "subject", "sealed", "created_at", "expires_at", *_OF_STOPS)


@dataclass(frozen=True, slots=True)
class AddressLink:
    """One mail about an address, and its link, whether or not that can still be used."""

    id: str
    kind: Towards
    token_hash: bytes
    subject: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None
    lifted: Lifted | None = None
    paused_until: datetime | None = None  # of a pause that was ended

    def opened(self, opener: Opener) -> Address | None:
        """Where the mail goes; None where the key is gone."""
        raw = opener.open(self.subject, Compartment.PROFILE, _place(self.id), self.sealed)
        try:
            return None if raw is None else address.parse(raw.decode())
        except AddressError:  # a later release may refuse what an earlier one took
            return None


def new(
    kind: Towards,
    subject: str,
    email: Address,
    sealer: Sealer,
    now: datetime,
    *,
    lifted: Lifted | None = None,
    paused_until: datetime | None = None,
) -> tuple[str, AddressLink]:
    """A token, and the row of the mail that carries it to *email*."""
    token, token_hash = tokens.new_link_token()
    name = ordered_id(_NAMED, now)
    sealed = sealer.seal(subject, Compartment.PROFILE, _place(name), email.typed.encode())
    # A pause that would be over by itself is not to be had again.
    moments = (now, min(now + LIVES[kind], paused_until or now + LIVES[kind]))
    link = AddressLink(
        name, kind, token_hash, subject, sealed, *moments, None, lifted, paused_until
    )
    return token, link


async def add(connection: AsyncConnection, keys: RowKeys, links: Sequence[AddressLink]) -> None:
    """Keep new links; the mails that carry them go into the same transaction."""
    rows = []
    for one in links:
        row = {name: getattr(one, name) for name in _SIGNED}
        row["token_hash"] = keys.keyed(_USE, one.token_hash).mac
        rows.append(row | keys.sign(link.name, *row.values())._asdict())
    if rows:
        await connection.execute(insert(link), rows)


async def get(
    connection: AsyncConnection, keys: RowKeys, ids: Iterable[str]
) -> dict[str, AddressLink]:
    """Links by their id; one that no gateway wrote is none."""
    wanted = list(ids)
    if not wanted:
        return {}
    rows = await connection.execute(select(link).where(among(link.c.id, wanted)))
    return {row.id: _read(row) for row in rows if SIGNED.fits(keys, row)}


async def of_subject(connection: AsyncConnection, keys: RowKeys, subject: str) -> list[AddressLink]:
    """The links of somebody that a gateway wrote, whether or not they can still be used."""
    rows = await connection.execute(select(link).where(link.c.subject == subject))
    return [_read(row) for row in rows if SIGNED.fits(keys, row)]


async def find(connection: AsyncConnection, keys: RowKeys, token_hash: bytes) -> AddressLink | None:
    """Find a link that a gateway wrote, expired or not. Changes nothing."""
    kept = keys.all_keyed(_USE, token_hash).values()
    row = (await connection.execute(select(link).where(link.c.token_hash.in_(kept)))).first()
    if row is None:
        keys.require_whole()
        return None
    return _read(row) if SIGNED.fits(keys, row) else None


async def spend(connection: AsyncConnection, one: AddressLink, now: datetime) -> None:
    """Use up a link, under the gate of whose it is."""
    await connection.execute(update(link).where(link.c.id == one.id).values(spent_at=now))


async def asking_since(connection: AsyncConnection, now: datetime) -> datetime | None:
    """When the oldest link was made that asks a mailbox and may still be pressed there.

    None of ours lives longer than such a link may: by a row that somebody planted, what waits
    for the oldest would stay for ever.
    """
    asks = and_(link.c.kind == Towards.NEW, link.c.spent_at.is_(None), link.c.expires_at > now)
    lives = link.c.created_at > now - LIVES[Towards.NEW]
    oldest: datetime | None = await connection.scalar(
        select(func.min(link.c.created_at)).where(asks, lives)
    )
    return oldest


async def end(
    connection: AsyncConnection,
    keys: RowKeys,
    subject: str,
    now: datetime,
    *,
    kinds: Collection[Towards],
    since: datetime | None = None,
    but: str | None = None,
) -> None:
    """Let links of somebody do nothing any more, those made *since* then, all *but* one.

    Hold their gate. The rows stay: mails that wait name them, and they are counted.
    """
    query = select(link).where(link.c.subject == subject, link.c.kind.in_(list(kinds)))
    waiting = query.where(link.c.spent_at.is_(None), link.c.expires_at > now)
    for row in (await connection.execute(waiting)).all():
        earlier = since is not None and row.created_at < since
        if not SIGNED.fits(keys, row) or earlier or row.id == but:
            continue
        over = {**row._mapping, "expires_at": now}
        signed = keys.sign(link.name, *(over[name] for name in _SIGNED))
        ended = update(link).where(link.c.id == row.id)
        await connection.execute(ended.values(expires_at=now, **signed._asdict()))


def ended_at(row: Any, told: Iterable[Told]) -> datetime | None:
    """When the log tells that `end` ended a link, of these `ENDING` events; none: it tells not.

    Whatever its row says: somebody may have put that back.
    """
    for at, by, only_new in _pressed(told):
        # Who has their address back, or keeps it, ends what came after their own link, too.
        later = row.kind in _BACK and not only_new and row.id > by
        if row.id != by and row.created_at < at and (row.kind == Towards.NEW or later):
            return at
    return None


def is_over(one: AddressLink, told: Iterable[Told]) -> bool:
    """Whether the log tells that a link was spent, or ended, whatever its row says."""
    ending = [event for event in told if event.kind in ENDING]
    spent = any(event.facts.get("link") == one.id for event in ending)
    return spent or ended_at(one, ending) is not None


def outdone(created_at: datetime, told: Iterable[Told]) -> bool:
    """Whether these `ENDING` events ended a personal link that was made then."""
    return any(created_at < at for at, _, _ in _pressed(told))


def lives_elsewhere(mailbox: str | None, told: Iterable[Told]) -> bool:
    """Whether the log tells, by its last word, of another address than that on file.

    Nobody can tell of one that does not open (none), nor before the first change.
    """
    rectified = [one.facts for one in told if one.kind is Kind.SUBJECT_RECTIFIED]
    said = [facts["address"] for facts in rectified if "address" in facts]
    return bool(said) and mailbox is not None and address.recognised(mailbox) != said[-1]


def _pressed(told: Iterable[Told]) -> Iterator[tuple[datetime, str, bool]]:
    """When a link was pressed that ends others, which one, and whether it ends only new ones.

    That which stops again ends no way back to an address: it may have been forwarded.
    """
    for one in told:
        by = one.facts.get("by") or one.facts.get("link")
        if one.kind in ENDING and by:
            stops = one.kind is Kind.SUBJECT_STOPPED_AGAIN
            yield one.entry.at, by, stops or one.facts.get("what") == Corrected.ADDRESS


async def told_lately(
    connection: AsyncConnection,
    keys: RowKeys,
    subject: str,
    now: datetime,
    lifted: Lifted | None = None,
) -> int:
    """How many mails of a week told the mailbox on file of a change, or of a stop *lifted*.

    A row that no gateway wrote tells of none: planted, it would keep the next mail from going.
    """
    theirs = and_(link.c.subject == subject, link.c.created_at > now - A_WEEK)
    of_stop = and_(link.c.kind == Towards.LIFTED, link.c.lifted == lifted)
    told = link.c.kind == Towards.OLD if lifted is None else of_stop
    rows = await connection.execute(select(link).where(theirs, told))
    return sum(SIGNED.fits(keys, row) for row in rows)


async def known(connection: AsyncConnection, ids: Iterable[str]) -> set[str]:
    """Those of these links that have a row, whoever wrote it."""
    query = select(link.c.id).where(among(link.c.id, ids))
    return set((await connection.execute(query)).scalars())


async def of_people(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, list[Any]]:
    """The rows of these people's links that can be read, whoever wrote them, by subject."""
    columns = (link.c[one] for one in ("subject", "id", "kind", *_MOMENTS))
    dated = and_(link.c.created_at.is_not(None), link.c.expires_at.is_not(None))
    query = select(*columns).where(among(link.c.subject, subjects), fits(link.c.id), dated)
    found: dict[str, list[Any]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.subject, []).append(row)
    return found


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete links a day after their end; no sooner than nothing counts or misses them.

    Those by which somebody undoes stay as long as they may work, also where they were ended:
    one that is away before is named. One that asks has somebody else's address, perhaps.
    """
    old = or_(link.c.created_at <= now - KEPT - DAY, link.c.kind == Towards.NEW)
    over = and_(link.c.expires_at <= now - DAY, link.c.created_at <= now - A_WEEK, old)
    await delete_free(connection, link, over)


def _place(name: str) -> tuple[str, str, str]:
    # As it was when it was sealed: with a name changed here, no link of before opens any more.
    return ("address_link", "sealed", name)


def _read(row: Any) -> AddressLink:
    moments = (row.created_at, row.expires_at, row.spent_at)
    named = (row.id, Towards(row.kind), row.token_hash, row.subject, row.sealed)
    lifted = None if row.lifted is None else Lifted(row.lifted)
    return AddressLink(*named, *moments, lifted, row.paused_until)


def _granting(row: Any) -> Sequence[Value]:
    """What is signed. That it was spent is not: the log tells of it."""
    return tuple(getattr(row, name) for name in _SIGNED)


SIGNED = SignedTable(link, select(link), _granting)
