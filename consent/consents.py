"""Consent rows, kept honest by a MAC whose key is outside the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.honesty import consent_mac, honest
from consent.model import Evidence, State
from storage.secret import Secret

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


class Consents:
    """Reads and writes consent rows under the key that keeps them honest."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def of_subjects(
        self, connection: AsyncConnection, subjects: Iterable[str]
    ) -> dict[str, list[Consent]]:
        """Every consent of these people, oldest request first."""
        query = select(consent).where(consent.c.subject.in_(set(subjects)))
        rows = await connection.execute(query.order_by(consent.c.requested_at, consent.c.id))
        found: dict[str, list[Consent]] = {}
        for row in rows:
            found.setdefault(row.subject, []).append(self._read(row))
        return found

    async def get(self, connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Consent]:
        query = select(consent).where(consent.c.id.in_(set(ids)))
        return {row.id: self._read(row) for row in await connection.execute(query)}

    async def after(self, connection: AsyncConnection, last: str, limit: int) -> list[Consent]:
        """The next rows by id, for whoever checks them all."""
        query = select(consent).where(consent.c.id > last).order_by(consent.c.id).limit(limit)
        return [self._read(row) for row in await connection.execute(query)]

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
                    "profile": one.profile,
                    **self._changing(one),
                }
                for one in new
            ]
            await connection.execute(insert(consent), rows)

    async def write(self, connection: AsyncConnection, changed: Sequence[Consent]) -> None:
        """Store the new state of consents whose gates are held."""
        if not changed:
            return
        columns = ("state", "decided_at", "ends_at", "mails", "eid", "mac")
        values = {name: bindparam(f"new_{name}", type_=consent.c[name].type) for name in columns}
        statement = update(consent).where(consent.c.id == bindparam("of")).values(values)
        rows = []
        for one in changed:
            row = {f"new_{name}": value for name, value in self._changing(one).items()}
            rows.append({"of": one.id, **row})
        await connection.execute(statement, rows)

    async def drop_profiles(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """Forget form answers that nothing needs any more."""
        statement = update(consent).where(consent.c.id.in_(ids)).values(profile=None)
        await connection.execute(statement)

    async def due(
        self, connection: AsyncConnection, now: datetime, limit: int
    ) -> list[tuple[str, str]]:
        """(consent, subject) of those whose time is over: pending past 72 h, confirmed past
        their end. Nothing is locked."""
        found: list[tuple[str, str]] = []
        for state, moment in (
            (State.PENDING, consent.c.lapses_at),
            (State.CONFIRMED, consent.c.ends_at),
        ):
            query = select(consent.c.id, consent.c.subject).where(
                consent.c.state == state, moment <= now
            )
            rows = await connection.execute(query.order_by(moment).limit(limit))
            found += [(row.id, row.subject) for row in rows]
        return found

    def _changing(self, one: Consent) -> dict[str, Any]:
        return {
            "state": one.state,
            "decided_at": one.decided_at,
            "ends_at": one.ends_at,
            "mails": one.mails,
            "eid": one.eid,
            "mac": self._mac(one),
        }

    def _mac(self, one: Consent) -> bytes:
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
        one = Consent(
            id=row.id,
            subject=row.subject,
            purpose=row.purpose,
            text_hash=row.text_hash,
            form=row.form,
            locale=row.locale,
            state=State(row.state),
            evidence=Evidence(row.evidence),
            requested_at=row.requested_at,
            lapses_at=row.lapses_at,
            decided_at=row.decided_at,
            ends_at=row.ends_at,
            mails=row.mails,
            profile=row.profile,
            eid=row.eid,
        )
        return replace(one, honest=honest(row.mac, self._mac(one)))
