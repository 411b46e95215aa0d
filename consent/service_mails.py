"""Service mails that went to a mailbox because somebody asked: what stops them, and how many.

A row for each confirmation mail, each mail that asks anew, each fresh link, each mail that
tells of a withdrawal, and each that asks whether somebody's mails shall go to this mailbox
from now on.
By its token the mailbox stops such mails; of the token the row has a hash alone.
The row can only take away, and so has no MAC. Mailboxes are compared folded, by
a keyed hash that no other table has, and the row goes with the person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, suppressions, tables, tokens
from consent.address import Address
from consent.keys import blind
from storage.keysets import KeySet
from storage.locks import delete_free, free
from storage.types import among
from storage.writing import insert_all

mail = tables.service_mail

# A mail that is older has a successor with a link of its own, or nothing came since.
LINK_LIFE = timedelta(days=365)
_MAILBOX = "consentgw/service-mails/v1"


class Kind(StrEnum):
    """What somebody asked for."""

    CONFIRMATION = "confirmation"  # also what the operator asks anew
    FRESH_LINK = "fresh-link"
    ASKED_AGAIN = "asked-again"  # a confirmation mail that a link out of a mail asked for
    WITHDRAWAL = "withdrawal"  # nobody asks for it: it tells of one
    ADDRESS = "address"  # it went to a mailbox that is not known to be the person's


@dataclass(frozen=True, slots=True)
class ServiceMail:
    """One mail that is queued, with what its link to stop such mails is found by."""

    token_hash: bytes
    subject: str
    kind: Kind
    mailbox: bytes
    kid: int  # of the set `suppression`: what made the mailbox's hash
    address_hash: bytes | None = None  # what its link stops; none: the mailbox on file


@dataclass(frozen=True, slots=True)
class StopLink:
    """Whose mail carried a link to stop such mails, and to which mailbox it went."""

    subject: str
    mailbox: bytes
    kid: int
    address_hash: bytes | None


def new(keys: KeySet, kind: Kind, subject: str, email: Address) -> tuple[str, ServiceMail]:
    """A token for the link, and the row that finds it."""
    token, token_hash = tokens.new_link_token()
    mailbox = blind.keyed(keys.secret, _MAILBOX, address.folded(email))
    elsewhere = kind is Kind.ADDRESS
    stops = suppressions.mailbox_hash(keys.secret, email) if elsewhere else None
    return token, ServiceMail(token_hash, subject, kind, mailbox, keys.kid, stops)


def mailbox_hashes(keys: KeySet, email: Address) -> list[bytes]:
    """By which rows of this mailbox are found, under each key that made one."""
    folded = address.folded(email)
    return [blind.keyed(secret, _MAILBOX, folded) for secret in keys.live.values()]


async def add(connection: AsyncConnection, mails: Sequence[ServiceMail], now: datetime) -> None:
    """Keep the rows of mails that go into the outbox in the same transaction."""
    rows = [
        {
            "token_hash": one.token_hash,
            "subject": one.subject,
            "kind": one.kind,
            "mailbox": one.mailbox,
            "kid": one.kid,
            "address_hash": one.address_hash,
            "sent_at": now,
        }
        for one in mails
    ]
    await insert_all(connection, mail, rows)


async def find(connection: AsyncConnection, token_hash: bytes, now: datetime) -> StopLink | None:
    """Whose mail carried the link, for a year; None for a token that nobody has."""
    query = select(mail).where(mail.c.token_hash == token_hash, mail.c.sent_at > now - LINK_LIFE)
    row = (await connection.execute(query)).first()
    return None if row is None else StopLink(row.subject, row.mailbox, row.kid, row.address_hash)


async def moved(
    connection: AsyncConnection, keys: KeySet, subject: str, before: Address, after: Address
) -> None:
    """Let links that went to the mailbox of *before* stop it still, and those of *after* that one.

    Somebody is mailed elsewhere from here on.
    """
    for kid, secret in keys.live.items():
        for email, stops in ((before, suppressions.mailbox_hash(secret, before)), (after, None)):
            box = blind.keyed(secret, _MAILBOX, address.folded(email))
            theirs = and_(mail.c.subject == subject, mail.c.kid == kid, mail.c.mailbox == box)
            await connection.execute(update(mail).where(theirs).values(address_hash=stops))


async def to_subject(connection: AsyncConnection, subject: str) -> list[tuple[str, datetime]]:
    """What went to somebody because it was asked for, and when it was queued, oldest first."""
    theirs = and_(mail.c.subject == subject, mail.c.kind != Kind.ADDRESS)
    query = select(mail.c.kind, mail.c.sent_at).where(theirs)
    return [(kind, at) for kind, at in await connection.execute(query.order_by(mail.c.sent_at))]


# Who asked for mails to go to somebody else's mailbox shares nothing with them, nor does who was
# there before their address changed. Else whoever leaves could end what waits to ask others; and
# who asked would see by a mail of their own, which ended with it, that somebody said no there.
_AT_HOME = mail.c.address_hash.is_(None)


async def sharing(
    connection: AsyncConnection, subjects: Collection[str], mailboxes: Collection[bytes] = ()
) -> set[str]:
    """Who had service mails in these mailboxes, or where these people had: every spelling.

    By what their mails name it those of the same keys are found alone: name theirs too, by all
    keys (`mailbox_hashes`).
    """
    return await _of_mails_to(connection, subjects, mailboxes, _AT_HOME)


async def askers(
    connection: AsyncConnection,
    subjects: Collection[str],
    mailboxes: Collection[bytes],
    since: datetime,
) -> set[str]:
    """Who asked after *since* that their mails go where `sharing` looks, by any spelling."""
    asked = and_(mail.c.kind == Kind.ADDRESS, mail.c.sent_at > since)
    return await _of_mails_to(connection, subjects, mailboxes, asked)


async def askers_under(
    connection: AsyncConnection, kids: Collection[int], since: datetime
) -> set[str]:
    """Who asked after *since*, by these keys, that their mails go wherever else."""
    if not kids:
        return set()
    asked = and_(mail.c.kind == Kind.ADDRESS, mail.c.sent_at > since, mail.c.kid.in_(kids))
    return set((await connection.execute(select(mail.c.subject).where(asked))).scalars())


async def made_under(connection: AsyncConnection, kids: Collection[int]) -> bool:
    """Whether a row names its mailbox by one of these keys."""
    if not kids:
        return False
    found = exists(select(mail.c.kid).where(mail.c.kid.in_(kids)))
    return bool(await connection.scalar(select(found)))


async def _of_mails_to(
    connection: AsyncConnection,
    subjects: Collection[str],
    mailboxes: Collection[bytes],
    are_meant: ColumnElement[bool],
) -> set[str]:
    theirs = select(mail.c.mailbox).where(among(mail.c.subject, subjects), _AT_HOME)
    # Either by itself: for both in one condition PostgreSQL reads the table whole.
    query = union(
        select(mail.c.subject).where(mail.c.mailbox.in_(theirs), are_meant),
        select(mail.c.subject).where(mail.c.mailbox.in_(set(mailboxes)), are_meant),
    )
    return set((await connection.execute(query)).scalars())


async def sent(
    connection: AsyncConnection, kind: Kind, mailboxes: Collection[bytes], now: datetime
) -> dict[bytes, list[datetime]]:
    """When mails of a kind went to each mailbox, for as long as its rows are kept.

    What a clock that ran ahead dated counts as of now, or it would count until
    that comes. Of the duties that send such mails only one runs at a time; beside it
    whoever leaves passes over what it holds.
    """
    theirs = and_(mail.c.mailbox.in_(set(mailboxes)), mail.c.kind == kind)
    ahead = update(mail).where(free(mail, and_(theirs, mail.c.sent_at > now)))
    await connection.execute(ahead.values(sent_at=now))
    found: dict[bytes, list[datetime]] = {}
    for row in await connection.execute(select(mail.c.mailbox, mail.c.sent_at).where(theirs)):
        found.setdefault(row.mailbox, []).append(min(row.sent_at, now))
    return found


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete rows whose link is over."""
    await delete_free(connection, mail, mail.c.sent_at <= now - LINK_LIFE)
