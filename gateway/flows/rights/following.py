"""Callers follow what happens to people, in the order of the log, by cursor.

Who it was is told by the random id and by the caller's own names for them. An address is
released to a key that may, once the log holds that it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import external_ids, feed, gates, personal, shares
from consent.consents import Consents
from consent.errors import SealError
from consent.external_ids import Ids, Standing
from consent.feed import Change, News, Position
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from storage.clock import Clock
from storage.database import Database

_AT_ONCE: Final = 500  # changes that are looked at in one statement
_RELEASED: Final = 200  # people of whom one answer tells an address
_LOOKED_AT: Final = 5000  # for one answer: who may see few of them comes again


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller follows: behind which change, and of which purposes; None: of all."""

    after: Position | None
    limit: int
    purposes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One change as it is handed out."""

    change: Change
    external_ids: Ids = field(repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """The next changes, and behind which one the page after begins; *at* is now."""

    told: Sequence[Told]
    after: Position | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Following:
    """Reads what happened, for callers."""

    data: Database
    keystore: KeyStore
    clock: Clock
    consents: Consents
    log: Log

    async def read(self, wanted: Wanted) -> Page:
        """The next changes, without an address."""
        found, after, at = await self._found(wanted)
        ids = await identified(self.data, self.keystore, found, wanted.purposes)
        return Page([Told(one, ids.get(one.id, {})) for one in found], after, at)

    async def release(self, wanted: Wanted, caller: str) -> Page:
        """As `read`, with the address of who is here still: the log holds first that it was told.

        No gate is taken: who reads often must not keep anybody from leaving.
        """
        page = await self.read(replace(wanted, limit=min(wanted.limit, _RELEASED)))
        subjects = {one.change.subject for one in page.told}
        vault = await self.keystore.vault(subjects)
        async with self.data.begin() as connection:
            known = await shares.look(connection, subjects)
            mailboxes = _mailboxes(known, vault)
            told = [replace(one, email=mailboxes.get(one.change.subject)) for one in page.told]
            now = await self.clock.now(connection)
            if event := _released([one for one in told if one.email is not None], caller, now):
                await self.log.stage(connection, [draft(event, vault, self.log.node)])
        return Page(told, page.after, page.at)

    async def _found(self, wanted: Wanted) -> tuple[list[Change], Position | None, datetime]:
        found: list[Change] = []
        after, looked_at = wanted.after, 0
        async with self.data.snapshot() as connection:
            while len(found) < wanted.limit and looked_at < _LOOKED_AT:
                most = _AT_ONCE if wanted.purposes is not None else wanted.limit - len(found)
                page = await feed.page(connection, self.consents.keys, after, most)
                seen = await _seen_by(connection, self.consents, page, wanted.purposes)
                room = wanted.limit - len(found)
                if len(seen) > room:
                    seen = seen[:room]
                    page = page[: page.index(seen[-1]) + 1]
                found += seen
                looked_at += len(page)
                if page:
                    after = _position(page[-1])
                if len(page) < most:
                    break
            return found, after, await self.clock.now(connection)


async def identified(
    data: Database,
    keystore: KeyStore,
    changes: Sequence[Change],
    purposes: Collection[str] | None = None,
) -> Mapping[str, Ids]:
    """By change, what callers call whom it is about: of its purpose, or where it has none, of all.

    Of *purposes* alone, where these are given. Nobody is called anything who is being erased.
    """
    subjects = {one.subject for one in changes}
    if not subjects:
        return {}
    vault = await keystore.vault(subjects)
    async with data.read() as connection:
        live = {one for one, gate in (await gates.peek(connection, subjects)).items() if gate.live}
        rows = await external_ids.of(connection, live)
    theirs: dict[str, list[tuple[str, Ids]]] = {}
    for row in rows:
        if row.state is Standing.SETTLED and (purposes is None or row.purpose in purposes):
            said = (row.purpose, external_ids.opened(row, vault))
            theirs.setdefault(row.subject, []).append(said)
    return {one.id: _called(one, theirs.get(one.subject, ())) for one in changes}


def _called(change: Change, theirs: Sequence[tuple[str, Ids]]) -> Ids:
    ids: dict[str, str] = {}
    for purpose, said in theirs:
        if change.purpose is None or purpose == change.purpose:
            ids |= said
    return ids


async def _seen_by(
    connection: AsyncConnection,
    consents: Consents,
    page: Sequence[Change],
    purposes: Collection[str] | None,
) -> list[Change]:
    """What a key may hear of that is bound to *purposes*: of those, and what concerns all of who
    agreed to one of them.

    Of who was erased nothing says that any more: that random id alone it hears of everybody.
    """
    if purposes is None:
        return list(page)
    of_all = {one.subject for one in page if one.purpose is None}
    theirs = await _agreed(connection, consents, of_all, purposes) if of_all else set()
    return [
        one
        for one in page
        if one.purpose in purposes
        or (one.purpose is None and (one.subject in theirs or one.kind is News.SUBJECT_ERASED))
    ]


async def _agreed(
    connection: AsyncConnection,
    consents: Consents,
    subjects: Collection[str],
    purposes: Collection[str],
) -> set[str]:
    """Those of these people who agreed to one of these purposes, whatever became of it since.

    By rows that a gateway wrote: a planted one would have a key hear of anybody, and their address.
    """
    rows = await consents.of_subjects(connection, subjects)
    return {
        one.subject
        for theirs in rows.values()
        for one in theirs
        if one.honest and one.state.decided and one.purpose in purposes
    }


def _mailboxes(known: Mapping[str, Gate], vault: Vault) -> dict[str, str]:
    """Of whom the log can tell that it was released."""
    found: dict[str, str] = {}
    for subject, gate in known.items():
        if gates.usable(gate, vault, Compartment.PROFILE, Compartment.EVIDENCE):
            try:
                mailbox = personal.open_mailbox(gate, vault)
            except SealError:
                continue  # somebody altered the row: `audit verify` names it
            if mailbox is not None:
                found[subject] = mailbox
    return found


def _released(told: Sequence[Told], caller: str, now: datetime) -> Event | None:
    items = [Item(one.change.subject, {"change": one.change.id}) for one in told]
    if not items:
        return None
    refs = {"api_key": caller}
    return Event(Kind.ADDRESSES_RELEASED, Actor.API, now, refs=refs, items=items)


def _position(change: Change) -> Position | None:
    return None if change.place is None else Position(change.place, change.id)
