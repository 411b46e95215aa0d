"""Consent rows, kept honest by a MAC whose key is outside the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    and_,
    delete,
    exists,
    literal_column,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import people, tables
from consent.gates import Gate
from consent.honesty import granting
from consent.model import Evidence, State
from consent.sign_ups import RE_PERMISSION
from consent.wordings import Wordings
from storage import paging, straight
from storage.honesty import RowKeys
from storage.sound import fits, readable, tuples
from storage.types import among, texts
from storage.writing import insert_all, update_all

table = tables.consent
_ENDED = (State.WITHDRAWN, State.EXPIRED)
_OF_SUBJECTS = select(table).where(among(table.c.subject, texts("subjects")))
_BY_ID = select(table).where(among(table.c.id, texts("ids")))
TABLE = table.name


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
    covers: frozenset[str] | None = None  # not stored: whose mails; None: its wording is not known

    @property
    def anew(self) -> bool:
        """Whether the operator asked, because what the person agreed to is not so any more."""
        return self.form == RE_PERMISSION


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

    def may_be_over(self, consent: Consent, now: datetime) -> bool:
        """Whether it is so old that its use must be looked up; most consents are not."""
        after = self.unused_after.get(consent.purpose)
        if after is None or consent.state is not State.CONFIRMED or consent.decided_at is None:
            return False
        return consent.decided_at <= now - after  # a stored moment may be the last there is


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


class Deadline(StrEnum):
    """What can be over about a consent, by the moment that it is counted from."""

    ANSWER = "answer"  # pending: nobody answered
    DATE = "date"  # confirmed: its date
    USE = "use"  # confirmed: so long ago that it may have gone unused
    REQUEST = "request"  # never confirmed: nothing came of it
    EVIDENCE = "evidence"  # withdrawn or expired: its proof


_DEADLINES: Mapping[Deadline, tuple[tuple[State, ...], Column[datetime]]] = {
    Deadline.ANSWER: ((State.PENDING,), table.c.lapses_at),
    Deadline.DATE: ((State.CONFIRMED,), table.c.ends_at),
    Deadline.USE: ((State.CONFIRMED,), table.c.decided_at),
    Deadline.REQUEST: ((State.REJECTED, State.LAPSED), table.c.requested_at),
    Deadline.EVIDENCE: ((State.WITHDRAWN, State.EXPIRED), table.c.decided_at),
}


def in_words(states: Sequence[State]) -> ColumnElement[bool]:
    """As the partial indexes spell it: a parameter would keep them from being used."""
    words: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in states]
    return table.c.state == words[0] if len(words) == 1 else table.c.state.in_(words)


def _asked_about_another() -> ColumnElement[bool]:
    """Whether it was asked anew, and what it may be about is there: it stays as long as that.

    Going through all of these again and again would keep others from their turn.
    """
    other = table.alias("other")
    theirs = and_(other.c.subject == table.c.subject, other.c.purpose == table.c.purpose)
    decided = other.c.state.in_([state for state in State if state.decided])
    return and_(table.c.form == RE_PERMISSION, exists().where(theirs, decided))


class Consents:
    """Reads and writes consent rows under the key that keeps them honest."""

    def __init__(self, keys: RowKeys, wordings: Wordings, use: Use | None = None) -> None:
        self.keys = keys
        self.wordings = wordings
        self._use = use or Use({})

    def sender_of(self, purpose: str) -> str | None:
        """As whom mails of *purpose* go out; None where nobody sends such mails."""
        return self.wordings.mailing.sender_of(purpose)

    def vouches(self, gate: Gate) -> bool:
        """Say whether a gateway wrote the person's row; what rests on another permits nothing."""
        return gate.is_honest(self.keys)

    async def as_of(
        self, connection: AsyncConnection, subjects: Iterable[str], now: datetime
    ) -> dict[str, list[Consent]]:
        """As `of_subjects`, `judged`: permissions are decided from these."""
        return await self.judged(connection, await self.of_subjects(connection, subjects), now)

    async def judged(
        self, connection: AsyncConnection, found: Mapping[str, Sequence[Consent]], now: datetime
    ) -> dict[str, list[Consent]]:
        """The same consents; they say whose mails they cover, and which ended for want of use.

        Statements are spent only where a wording is new to this process or covers nothing, and
        where a consent was confirmed so long ago that it may have gone unused.
        """
        rows = [consent for consents in found.values() for consent in consents]
        confirmed = [consent for consent in rows if consent.state is State.CONFIRMED]
        covering = await self.with_cover(connection, confirmed, now)
        known = {consent.id: consent for consent in await self.with_use(connection, covering, now)}
        return {s: [known.get(one.id, one) for one in consents] for s, consents in found.items()}

    async def with_cover(
        self, connection: AsyncConnection, rows: Sequence[Consent], now: datetime
    ) -> Sequence[Consent]:
        """The same consents; each says whose mails its wording covers."""
        wanted = [(consent.purpose, consent.text_hash) for consent in rows]
        if not await self.wordings.look_up(connection, wanted, now):
            return rows
        covers = self.wordings.covers
        return [replace(one, covers=covers(one.purpose, one.text_hash)) for one in rows]

    async def with_use(
        self, connection: AsyncConnection, rows: Sequence[Consent], now: datetime
    ) -> list[Consent]:
        """The same consents; those that ended at *now* for want of use say so."""
        doubtful = {
            consent.id: consent.subject for consent in rows if self._use.may_be_over(consent, now)
        }
        if not doubtful:
            return list(rows)
        used = await self._use.last_used(connection, doubtful)
        return [
            self._as_used(consent, used, now) if consent.id in doubtful else consent
            for consent in rows
        ]

    def _as_used(self, consent: Consent, used: Mapping[str, datetime], now: datetime) -> Consent:
        confirmed_at = consent.decided_at or consent.requested_at
        last = min(max(confirmed_at, used.get(consent.id, confirmed_at)), now)
        end = last + self._use.unused_after[consent.purpose]
        return replace(consent, unused_at=end) if end <= now else consent

    async def of_subjects(
        self, connection: AsyncConnection, subjects: Iterable[str]
    ) -> dict[str, list[Consent]]:
        """Every consent of these people, oldest request first."""
        return self.by_subject(
            await straight.rows(connection, _OF_SUBJECTS, {"subjects": subjects})
        )

    def by_subject(self, rows: Iterable[Any]) -> dict[str, list[Consent]]:
        """Whole rows of consents, by whose they are, oldest request first."""
        read = [self.read(row) for row in tuples(rows, table)]
        found: dict[str, list[Consent]] = {}
        for one in sorted(read, key=_requested):
            found.setdefault(one.subject, []).append(one)
        return found

    async def get(self, connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Consent]:
        wanted = list(ids)
        if not wanted:
            return {}
        rows = await straight.rows(connection, _BY_ID, {"ids": wanted})
        return {row.id: self.read(row) for row in tuples(rows, table)}

    async def add(self, connection: AsyncConnection, new: Sequence[Consent]) -> None:
        if new:
            rows = [
                {
                    "id": consent.id,
                    "subject": consent.subject,
                    "purpose": consent.purpose,
                    "text_hash": consent.text_hash,
                    "form": consent.form,
                    "locale": consent.locale,
                    "evidence": consent.evidence,
                    "requested_at": consent.requested_at,
                    "lapses_at": consent.lapses_at,
                    **self._changing(consent),
                }
                for consent in new
            ]
            await insert_all(connection, table, rows)

    async def write(self, connection: AsyncConnection, changed: Sequence[Consent]) -> None:
        """Store the new state of consents whose gates are held.

        Form answers wait with a pending request only: confirmed they are the
        person's for as long as a consent of theirs stands, otherwise nobody's.
        """
        if not changed:
            return
        # Whatever state stands there: the gates are held, so nobody changed it since it was read.
        rows = [{"id": consent.id, **self._changing(consent)} for consent in changed]
        await update_all(connection, table, rows)
        over = {consent.subject for consent in changed if consent.state in _ENDED}
        if over:
            await people.forget_profiles(connection, over)

    async def remove(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """Delete consents that nothing needs any more; no link may name them."""
        await connection.execute(delete(table).where(among(table.c.id, ids)))

    async def due(
        self, connection: AsyncConnection, what: Deadline, before: datetime, page: Page
    ) -> list[Due]:
        """The next consents whose time is over, oldest first. Nothing is locked.

        Ask for page after page: a row that was tampered with stays what it is,
        and must not keep others from their turn.
        """
        states, moment = _DEADLINES[what]
        query = select(table.c.id, table.c.subject, moment.label("moment")).where(
            in_words(states), moment <= before, fits(table.c.subject)
        )
        if what is Deadline.REQUEST:
            query = query.where(~_asked_about_another())
        # Moments repeat: by them alone, a page that ends between two alike loses the second.
        query = paging.page(query, (moment, table.c.id), page.after, page.limit)
        rows = await connection.execute(query)
        return [Due((row.moment, row.id), row.subject) for row in rows]

    def _changing(self, consent: Consent) -> dict[str, Any]:
        return {
            "state": consent.state,
            "decided_at": consent.decided_at,
            "ends_at": consent.ends_at,
            "mails": consent.mails,
            "profile": consent.profile if consent.state is State.PENDING else None,
            "eid": consent.eid,
            # With every change: over the old values it would make our own row look forged.
            **self.keys.sign(table.name, *granting(consent))._asdict(),
        }

    def read(self, row: Any) -> Consent:
        """A consent, whatever its row holds: one that nobody can read must not end a claim.

        What no gateway can have written is replaced by what allows nothing, and
        the consent is not honest.
        """
        read = readable(row, table)
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
            honest=known and self.keys.fits(table.name, read.kid, read.mac, granting(read)),
            covers=self.wordings.covers(read.purpose, read.text_hash),
        )


_requested = attrgetter("requested_at", "id")
W = TypeVar("W", State, Evidence)


def _word(words: type[W], stored: str) -> W | None:
    try:
        return words(stored)
    except ValueError:
        return None
