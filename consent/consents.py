"""Consent rows, kept honest by a MAC whose key is outside the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    and_,
    bindparam,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.honesty import consent_mac, honest
from consent.model import Evidence, State
from storage.secret import Secret
from storage.sound import readable
from storage.types import among

consent = tables.consent


@dataclass(frozen=True, slots=True)
class Consent:
    """One subject, one purpose, one asking."""

    id: str
    subject: str
    purpose: str
    text_hash: str
    form: str
    locale: str
    state: State
    evidence: Evidence
    requested_at: datetime
    lapses_at: datetime
    decided_at: datetime | None
    ends_at: datetime | None
    mails: int
    profile: bytes | None  # sealed
    eid: bytes  # the event that put it into its state
    honest: bool = True  # the stored MAC fitted
    unused_at: datetime | None = None  # not stored: when it ended for want of use


# When each consent was last used, given whose it is; those never used are missing.
LastUsed = Callable[[AsyncConnection, Mapping[str, str]], Awaitable[Mapping[str, datetime]]]


async def _never_used(
    _connection: AsyncConnection, _consents: Mapping[str, str]
) -> Mapping[str, datetime]:
    return {}


@dataclass(frozen=True, slots=True)
class Use:
    """How long a consent of each purpose lives without use, and who knows of its use."""

    unused_after: Mapping[str, timedelta]
    last_used: LastUsed = _never_used

    def may_be_over(self, one: Consent, now: datetime) -> bool:
        """Whether it is so old that its use must be looked up; most consents are not."""
        after = self.unused_after.get(one.purpose)
        if after is None or one.state is not State.CONFIRMED or one.decided_at is None:
            return False
        return one.decided_at + after <= now


@dataclass(frozen=True, slots=True)
class Due:
    """A consent that may have to change; *key* is where the next page goes on."""

    key: tuple[datetime, str]
    subject: str

    @property
    def consent(self) -> str:
        return self.key[1]


@dataclass(frozen=True, slots=True)
class Page:
    """Up to *limit* rows behind the one that the page before ended with."""

    limit: int
    after: tuple[datetime, str] | None = None


class Ending(StrEnum):
    """What can be over about a consent, by the moment that it is counted from."""

    ANSWER = "answer"  # pending: nobody answered
    DATE = "date"  # confirmed: its date
    USE = "use"  # confirmed: so long ago that it may have gone unused
    REQUEST = "request"  # never confirmed: nothing came of it
    EVIDENCE = "evidence"  # withdrawn or expired: its proof


_ENDINGS: Mapping[Ending, tuple[tuple[State, ...], Column[datetime]]] = {
    Ending.ANSWER: ((State.PENDING,), consent.c.lapses_at),
    Ending.DATE: ((State.CONFIRMED,), consent.c.ends_at),
    Ending.USE: ((State.CONFIRMED,), consent.c.decided_at),
    Ending.REQUEST: ((State.REJECTED, State.LAPSED), consent.c.requested_at),
    Ending.EVIDENCE: ((State.WITHDRAWN, State.EXPIRED), consent.c.decided_at),
}


def _in_words(states: Sequence[State]) -> ColumnElement[bool]:
    """As the partial indexes spell it: a parameter would keep them from being used."""
    words: list[ColumnElement[str]] = [literal_column(f"'{one}'") for one in states]
    return consent.c.state == words[0] if len(words) == 1 else consent.c.state.in_(words)


class Consents:
    """Reads and writes consent rows under the key that keeps them honest."""

    def __init__(self, key: Secret, use: Use | None = None) -> None:
        self._key = key
        self._use = use or Use({})

    async def as_of(
        self, connection: AsyncConnection, subjects: Iterable[str], now: datetime
    ) -> dict[str, list[Consent]]:
        """As `of_subjects`; those that ended at *now* for want of use say so.

        Permissions are decided from these. A statement more is spent only where
        a consent was confirmed so long ago that it may have gone unused.
        """
        found = await self.of_subjects(connection, subjects)
        rows = [one for consents in found.values() for one in consents]
        known = {one.id: one for one in await self.with_use(connection, rows, now)}
        return {s: [known[one.id] for one in consents] for s, consents in found.items()}

    async def with_use(
        self, connection: AsyncConnection, rows: Sequence[Consent], now: datetime
    ) -> list[Consent]:
        """The same consents; those that ended at *now* for want of use say so."""
        doubtful = {one.id: one.subject for one in rows if self._use.may_be_over(one, now)}
        if not doubtful:
            return list(rows)
        used = await self._use.last_used(connection, doubtful)
        return [self._as_used(one, used, now) if one.id in doubtful else one for one in rows]

    def _as_used(self, one: Consent, used: Mapping[str, datetime], now: datetime) -> Consent:
        confirmed_at = one.decided_at or one.requested_at
        last = max(confirmed_at, used.get(one.id, confirmed_at))
        end = last + self._use.unused_after[one.purpose]
        return replace(one, unused_at=end) if end <= now else one

    async def of_subjects(
        self, connection: AsyncConnection, subjects: Iterable[str]
    ) -> dict[str, list[Consent]]:
        """Every consent of these people, oldest request first."""
        query = select(consent).where(among(consent.c.subject, subjects))
        rows = await connection.execute(query.order_by(consent.c.requested_at, consent.c.id))
        found: dict[str, list[Consent]] = {}
        for row in rows:
            found.setdefault(row.subject, []).append(self._read(row))
        return found

    async def get(self, connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Consent]:
        wanted = list(ids)
        if not wanted:
            return {}
        query = select(consent).where(among(consent.c.id, wanted))
        return {row.id: self._read(row) for row in await connection.execute(query)}

    async def of_nobody(self, connection: AsyncConnection, limit: int) -> list[str]:
        """Ids of rows whose subject does not exist; keys of the schema forbid it."""
        theirs = select(tables.subject.c.id).where(tables.subject.c.id == consent.c.subject)
        query = select(consent.c.id).where(~theirs.exists()).order_by(consent.c.id).limit(limit)
        return list((await connection.execute(query)).scalars())

    async def add(self, connection: AsyncConnection, new: Sequence[Consent]) -> None:
        if new:
            rows = [
                {
                    "id": one.id,
                    "subject": one.subject,
                    "purpose": one.purpose,
                    "text_hash": one.text_hash,
                    "form": one.form,
                    "locale": one.locale,
                    "evidence": one.evidence,
                    "requested_at": one.requested_at,
                    "lapses_at": one.lapses_at,
                    **self._changing(one),
                }
                for one in new
            ]
            await connection.execute(insert(consent), rows)

    async def write(self, connection: AsyncConnection, changed: Sequence[Consent]) -> None:
        """Store the new state of consents whose gates are held.

        Form answers wait with a pending request only: confirmed they are the
        person's, otherwise nobody's.
        """
        if not changed:
            return
        columns = ("state", "decided_at", "ends_at", "mails", "profile", "eid", "mac")
        values = {name: bindparam(f"new_{name}", type_=consent.c[name].type) for name in columns}
        statement = update(consent).where(consent.c.id == bindparam("of")).values(values)
        rows = []
        for one in changed:
            row = {f"new_{name}": value for name, value in self._changing(one).items()}
            rows.append({"of": one.id, **row})
        await connection.execute(statement, rows)

    async def remove(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """Delete consents that nothing needs any more; no link may name them."""
        await connection.execute(delete(consent).where(among(consent.c.id, ids)))

    async def due(
        self, connection: AsyncConnection, what: Ending, before: datetime, page: Page
    ) -> list[Due]:
        """The next consents whose time is over, oldest first. Nothing is locked.

        Ask for page after page: a row that was tampered with stays what it is,
        and must not keep others from their turn.
        """
        states, moment = _ENDINGS[what]
        query = select(consent.c.id, consent.c.subject, moment.label("moment")).where(
            _in_words(states), moment <= before
        )
        if page.after is not None:
            last, last_id = page.after
            query = query.where(or_(moment > last, and_(moment == last, consent.c.id > last_id)))
        rows = await connection.execute(query.order_by(moment, consent.c.id).limit(page.limit))
        return [Due((row.moment, row.id), row.subject) for row in rows]

    def _changing(self, one: Consent) -> dict[str, Any]:
        return {
            "state": one.state,
            "decided_at": one.decided_at,
            "ends_at": one.ends_at,
            "mails": one.mails,
            "profile": one.profile if one.state is State.PENDING else None,
            "eid": one.eid,
            "mac": self._mac(one),
        }

    def _mac(self, one: Any) -> bytes:
        """Of a consent, or of its row."""
        return consent_mac(
            self._key,
            id=one.id,
            subject=one.subject,
            purpose=one.purpose,
            text_hash=one.text_hash,
            state=one.state,
            evidence=one.evidence,
            requested_at=one.requested_at,
            decided_at=one.decided_at,
            ends_at=one.ends_at,
            eid=one.eid,
        )

    def _read(self, row: Any) -> Consent:
        """A consent, whatever its row holds: one that nobody can read must not end a claim.

        What no gateway can have written is replaced by what allows nothing, and
        the consent is not honest.
        """
        read = readable(row, consent)
        state, evidence = _word(State, read.state), _word(Evidence, read.evidence)
        known = state is not None and evidence is not None and read is row
        return Consent(
            id=read.id,
            subject=read.subject,
            purpose=read.purpose,
            text_hash=read.text_hash,
            form=read.form,
            locale=read.locale,
            state=state or State.REJECTED,
            evidence=evidence or Evidence.ASSERTED,
            requested_at=read.requested_at,
            lapses_at=read.lapses_at,
            decided_at=read.decided_at,
            ends_at=read.ends_at,
            mails=read.mails,
            profile=read.profile,
            eid=read.eid,
            honest=known and honest(read.mac, self._mac(read)),
        )


W = TypeVar("W", State, Evidence)


def _word(words: type[W], stored: str) -> W | None:
    try:
        return words(stored)
    except ValueError:
        return None
