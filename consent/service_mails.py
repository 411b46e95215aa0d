"""Service mails that went to a mailbox because somebody asked: what stops them, and how many.

A row for each confirmation mail, each mail that asks anew, each fresh link, and each mail
that tells of a withdrawal.
By its token the mailbox stops such mails; of the token the row has a hash alone.
The row can only take away, and so has no MAC. Mailboxes are compared folded, by
a keyed hash that no other table has, and the row goes with the person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, tables, tokens
from consent.address import Address
from consent.keys import blind
from storage.keysets import KeySet
from storage.locks import delete_free, free
from storage.types import among

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


@dataclass(frozen=True, slots=True)
class ServiceMail:
    """One mail that is queued, with what its link to stop such mails is found by."""

    token_hash: bytes
    subject: str
    kind: Kind
    mailbox: bytes
    kid: int  # of the set `suppression`: what made the mailbox's hash


def new(keys: KeySet, kind: Kind, subject: str, email: Address) -> tuple[str, ServiceMail]:
    """A token for the link, and the row that finds it."""
    token, token_hash = tokens.new_link_token()
    mailbox = blind.keyed(keys.secret, _MAILBOX, address.folded(email))
    return token, ServiceMail(token_hash, subject, kind, mailbox, keys.kid)


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
            "sent_at": now,
        }
        for one in mails
    ]
    if rows:
        await connection.execute(insert(mail), rows)


async def subject_of(connection: AsyncConnection, token_hash: bytes, now: datetime) -> str | None:
    """Whose mail carried the link, for a year; None for a token that nobody has."""
    query = select(mail.c.subject).where(
        mail.c.token_hash == token_hash, mail.c.sent_at > now - LINK_LIFE
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def to_subject(connection: AsyncConnection, subject: str) -> list[tuple[str, datetime]]:
    """What went to somebody because it was asked for, and when it was queued, oldest first."""
    query = select(mail.c.kind, mail.c.sent_at).where(mail.c.subject == subject)
    return [(kind, at) for kind, at in await connection.execute(query.order_by(mail.c.sent_at))]


async def sharing(
    connection: AsyncConnection, subjects: Collection[str], mailboxes: Collection[bytes] = ()
) -> set[str]:
    """Who had service mails in the mailboxes of these people, or in these: every spelling."""
    theirs = select(mail.c.mailbox).where(among(mail.c.subject, subjects))
    query = select(mail.c.subject).where(
        or_(mail.c.mailbox.in_(theirs), mail.c.mailbox.in_(set(mailboxes)))
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
