"""What each kind of key has to do before an old one goes: sign anew, or say what holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import exists, select

from audit import published, renewing
from audit import verified as audit_verified
from audit.log import Log
from audit.publish import Publisher
from audit.rowmac import RowMacs
from audit.signers import Signers
from consent import (
    address_links,
    erasures,
    feed,
    going,
    holds,
    leavings,
    lookup,
    marks,
    paces,
    rights_requests,
    service_mails,
    signed,
    suppressions,
    taken_away,
    tellings,
)
from consent.keys import epochs, sets, verified
from consent.keys.keystore import KeyStore
from consent.keys.sets import SetKey
from consent.lookup import LookUp
from delivery import campaigns, outbox
from gateway.callers import api_keys, desk_exports, operators, visits
from gateway.flows.keeping.reindexing import OfLookUp
from gateway.flows.keeping.set_rotation import Ending
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.signed import Key, SignedTable

# Rows that show no key of ours beside their MAC. What is keyed has it by the key of the row, and
# is made anew where its token is shown, or not at all.
OF_DATA = (
    signed.SUBJECT,
    signed.CONSENT,
    signed.TIE,
    signed.HANDLE,
    lookup.LIVE,
    erasures.SIGNED,
    rights_requests.SIGNED,
    holds.SIGNED,
    paces.SIGNED,
    outbox.SIGNED,
    campaigns.SIGNED,
    taken_away.DUE,
    feed.SIGNED,
    tellings.SIGNED,
    operators.SIGNED,
    desk_exports.SIGNED,
)
OF_KEYS = (verified.SIGNED, epochs.SIGNED, sets.SIGNED)
OF_GUARD = (taken_away.SIGNED, audit_verified.SIGNED)
KEYED = (
    signed.FRESH_LINK,
    signed.SESSION,
    address_links.SIGNED,
    visits.LINKS,
    visits.SESSIONS,
)
_BESIDE = (leavings.sign_anew, going.sign_anew)  # in the rows of people, with a MAC of their own
_NEED = (leavings.need, going.need)
# A process that stood still may have given a link away so long after another key was active.
_GIVEN = timedelta(hours=1)


class InTime:
    """Nothing that it made lives as long as it is kept anyway (`consent/keys/set_phases.py`)."""

    async def tell(self, number: int) -> None:
        return None

    async def renew(self, old: int) -> int:
        return 0

    async def held(self, old: SetKey) -> Sequence[str]:
        return ()

    async def sweep(self, old: int) -> int:
        return 0


class OfWeb(InTime):
    """Stamps and cookies end in time; who was erased keeps the link to their certificate."""

    def __init__(self, data: Database) -> None:
        self._data = data

    async def held(self, old: SetKey) -> Sequence[str]:
        asked = erasures.erasure.c.asked_at <= old.since + _GIVEN
        async with self._data.read() as connection:
            found = (await connection.execute(select(exists().where(asked)))).scalar()
        return ["links to certificates of erasures, which end with their rows"] if found else []


class OfHashes(InTime):
    """Hashes of addresses that cannot be made anew: the key goes with the last of them."""

    def __init__(self, data: Database, known: LookUp, kind: str) -> None:
        self._data = data
        self._known = known
        self._kind = kind

    async def tell(self, number: int) -> None:
        async with self._data.begin() as connection:
            await self._known.tell(connection, self._kind, number)


class OfSuppressions(OfHashes):
    """Who must not be mailed or asked, for as long as that holds: it may be for ever."""

    async def held(self, old: SetKey) -> Sequence[str]:
        columns = (suppressions.suppression.c.kid, service_mails.mail.c.kid)
        async with self._data.read() as connection:
            return [
                f"rows of {column.table.name}, which cannot be made anew"
                for column in columns
                if (
                    await connection.execute(select(exists().where(column == old.name.number)))
                ).scalar()
            ]


class OfMarks(OfHashes):
    """Marks of who left go by themselves, minutes later."""

    def __init__(self, data: Database, known: LookUp, keys: RowKeys) -> None:
        super().__init__(data, known, "marks")
        self._keys = keys

    async def held(self, old: SetKey) -> Sequence[str]:
        found = await marks.SIGNED.has_ours(self._data, self._keys, old.name.number)
        return ["marks of who left, which go by themselves"] if found else []


class OfLog(InTime):
    """Every entry has a MAC by which readers believe it: those are made anew, page by page."""

    def __init__(self, data: Database, macs: RowMacs) -> None:
        self._data = data
        self._macs = macs
        self._after: dict[int, int] = {}

    async def renew(self, old: int) -> int:
        while True:
            after = self._after.get(old, -1)
            last, done = await renewing.sign_anew(self._data, self._macs, old, after)
            if last is None:
                self._after.pop(old, None)  # the next look begins anew
                return 0
            self._after[old] = last
            if done:
                return done

    async def held(self, old: SetKey) -> Sequence[str]:
        found = await renewing.needs(self._data, self._macs, old.name.number)
        return ["entries of the log"] if found else []


class OfSigning(InTime):
    """What the old key signed it signed for good; the next one is signed in by the log first."""

    def __init__(self, data: Database, clock: Clock, log: Log, signers: Signers) -> None:
        self._data = data
        self._clock = clock
        self._log = log
        self._signers = signers

    async def tell(self, number: int) -> None:
        async with self._data.begin() as connection:
            now = await self._clock.now(connection)
            await self._signers.sign_in(connection, self._log, now, number)

    async def held(self, old: SetKey) -> Sequence[str]:
        async with self._data.read() as connection:
            await self._signers.learn(connection, self._log)
            newest = await published.newest(connection, self._signers.verifier)
        end = self._signers.ends_at(old.name.number)
        if end is not None and newest is not None and newest.place > end:
            return ()
        return ["the log, until a checkpoint of it is signed by the next"]


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a look through all tables is."""

    table: int = 0
    after: Key | None = None


class OfRows(InTime):
    """Rows that grant are signed anew; keyed tokens hold their key until they are shown or end."""

    def __init__(
        self, data: Database, keystore: Database, guard: Database, clock: Clock, keys: RowKeys
    ) -> None:
        self._data = data
        self._clock = clock
        self._keys = keys
        self._tables = [
            *((data, one) for one in OF_DATA),
            *((guard, one) for one in OF_GUARD),
            # The rows that say how keys stand last: by them who lacks the new one knows of it.
            *((keystore, one) for one in OF_KEYS),
        ]
        self._places: dict[int, _Place] = {}

    async def renew(self, old: int) -> int:
        tables = [*await self._over(), *self._tables]
        while (place := self._places.get(old, _Place())).table < len(tables):
            store, table = tables[place.table]
            last, done = await table.sign_anew(store, self._keys, old, place.after)
            ends = last is None
            self._places[old] = _Place(place.table + 1) if ends else _Place(place.table, last)
            if done:
                return done
        self._places.pop(old, None)  # the next look begins anew
        async with self._data.begin() as connection:
            return sum([await sign(connection, self._keys, old) for sign in _BESIDE])

    async def held(self, old: SetKey) -> Sequence[str]:
        number = old.name.number
        found = [
            f"rows of {table.table.name}"
            for store, table in [*await self._over(), *self._tables]
            if await table.has_ours(store, self._keys, number)
        ]
        found += [
            f"rows of {table.table.name}, until they end"
            for table in KEYED
            if await table.has_ours(self._data, self._keys, number)
        ]
        async with self._data.read() as connection:
            if any([await need(connection, self._keys, number) for need in _NEED]):
                found.append("what stands beside the rows of people")
            names = await api_keys.under(connection, self._keys, number)
        return found + [f"API key {name}, until it is used or revoked" for name in names]

    async def _over(self) -> list[tuple[Database, SignedTable]]:
        """Tokens that open nothing any more: what their hash was made with does not matter."""
        async with self._data.read() as connection:
            now = await self._clock.now(connection)
        ended = [replace(one, rows=one.rows.where(one.table.c.expires_at <= now)) for one in KEYED]
        return [(self._data, one) for one in (*ended, api_keys.REVOKED)]


def of(
    data: Database,
    keystore: Database,
    guard: Database,
    clock: Clock,
    known: LookUp,
    people: KeyStore,
    keys: Mapping[str, KeySet],
    publisher: Publisher,
) -> dict[str, Ending]:
    """By kind, for those whose keys can follow each other."""
    return {
        "audit": OfLog(data, publisher.log.macs),
        "fingerprint": InTime(),
        "lookup": OfLookUp(data, known, keys["lookup"], people),
        "marks": OfMarks(data, known, RowKeys(keys["marks"])),
        "rows": OfRows(data, keystore, guard, clock, RowKeys(keys["rows"])),
        "signing": OfSigning(data, clock, publisher.log, publisher.signers),
        "suppression": OfSuppressions(data, known, "suppression"),
        "web": OfWeb(data),
    }
