"""Whose an address is: rows of keyed hashes, under every live key of the set `lookup`.

Every writer writes one row for each live key, and every look-up asks for all of
them in one statement. Which keys are live the database says: a node whose
keyring lacks one of them would make a second person of somebody whom the
others know, so it looks nobody up, and does everything else. The same holds of
the other keys of hashes of addresses: it would not see who left, or must not be
asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.asked_hashes import among_asked, asked
from consent.errors import KeyringBehind
from consent.keys import blind
from consent.model import SubjectState
from storage import paging, straight
from storage.honesty import RowKeys, Value
from storage.keysets import KeySet, KeyState
from storage.secret import Secret
from storage.signed import SignedTable
from storage.sound import fits, tuples
from storage.together import Together
from storage.types import among, among_hashes, is_name, upsert
from storage.writing import insert_all

index, live_key = tables.subject_index, tables.live_key


# Asked for with every look: which keys are live.
KEYS: Final = select(live_key)
_AT_ONCE = 500


@cache
def _looking(places: int | None) -> Together:
    theirs = among_asked(index.c.hash, index.c.kid, places)
    return Together(theirs=select(index).where(theirs), keys=KEYS)


# Addresses by the number of a key and the hash that it makes of them.
Hashed = Mapping[tuple[int, bytes], str]

_LOOKUP = "lookup"
_FIRST = 1  # the key of the first release, whose rows name none


class Live(NamedTuple):
    """A key that hashes of addresses are made with, by its set and number."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Found:
    """Whose an address is; where somebody else wrote so (not *honest*) nothing may rest on it."""

    subject: str
    honest: bool = True


@dataclass(frozen=True, slots=True)
class Names:
    """The hashes that somebody is found by, as they stand; *whole*: as a gateway wrote them."""

    hashes: Sequence[bytes]
    whole: bool


class LookUp:
    """Writes and asks for the rows that people are found by.

    *beside* are the other sets of keys that a look needs, by their kind;
    *lacking* are the live keys that our keyring lacks, as of the last look.
    """

    def __init__(
        self, keys: KeySet, rows: RowKeys, beside: Mapping[str, KeySet] | None = None
    ) -> None:
        self.keys = RowKeys(keys)
        self.lacking: frozenset[Live] = frozenset()
        self._set = keys
        self._sets = {_LOOKUP: keys, **(beside or {})}
        self._rows = rows
        self._told: frozenset[Live] = frozenset()  # as of the last look

    def require(self) -> None:
        """Raise `KeyringBehind` where the last look found that a live key is not ours."""
        if self.lacking:
            raise KeyringBehind(self.lacking)

    def held(self) -> frozenset[Live]:
        """Our keys as they stand. Name them before a look: nothing was looked for by later ones."""
        return frozenset(
            Live(kind, key.kid) for kind, keys in self._sets.items() for key in keys.keys
        )

    async def beyond(self, connection: AsyncConnection, held: frozenset[Live]) -> frozenset[Live]:
        """The live keys by now but those *held*; none: these made all that was read before.

        A key is told before the first of anything is made with it.
        """
        self._note(tuples(await straight.rows(connection, KEYS), live_key))
        return self._told - held

    async def require_still(self, connection: AsyncConnection, held: frozenset[Live]) -> None:
        """Raise as `find` where there are any (`beyond`)."""
        if lacking := await self.beyond(connection, held):
            raise KeyringBehind(lacking)

    def hashes(self, canonical: str) -> list[bytes]:
        """Every hash by which an address may be found or marked, newest last."""
        live = sorted(self._set.live.items())
        return [blind.blind_index(key, canonical) for _, key in live]

    @property
    def newest(self) -> tuple[int, Secret]:
        """The newest of the keys that are written with, and its number."""
        newest = max(self._written())
        return newest, self._set.live[newest]

    async def find(
        self, connection: AsyncConnection, addresses: Collection[str]
    ) -> dict[str, Found]:
        """Whose these canonical addresses are; nothing is locked.

        Raises `KeyringBehind` where anybody is asked for and a live key is not ours.
        """
        hashes = self.hashed(addresses)
        found: dict[str, Found] = {}
        for places, given in asked(connection.dialect.name, hashes):
            found |= self.found(hashes, await _looking(places).rows(connection, given))
        return found

    def hashed(self, addresses: Collection[str]) -> Hashed:
        """What canonical addresses are found by: their hashes, by every live key of ours."""
        keys = self._set.live
        return {
            (kid, blind.blind_index(key, one)): one
            for one in set(addresses)
            for kid, key in keys.items()
        }

    def found(self, hashes: Hashed, looked: Mapping[str, Iterable[Any]]) -> dict[str, Found]:
        """Whose addresses these *hashes* are, by rows of `index` (`theirs`) and `KEYS` (`keys`).

        Raises as `find`.
        """
        self._note(tuples(looked["keys"], live_key))
        if hashes:
            self._require_all({kid for kid, _ in hashes})
        found: dict[str, Found] = {}
        for row in tuples(looked["theirs"], index):
            address = hashes.get((row.kid, row.hash))
            if address is None or not is_name(row.subject):
                continue
            new = Found(row.subject, SIGNED.fits(self.keys, row))
            if address not in found or new.honest:
                found[address] = new
        return found

    def _require_all(self, asked: Collection[int]) -> None:
        """Raise also where a live key was learnt behind the hashes, and none was made with it."""
        self.require()
        late = self._set.live.keys() - asked
        if lacking := [one for one in self._told if one.kind == _LOOKUP and one.number in late]:
            raise KeyringBehind(lacking)

    async def let_go(self, connection: AsyncConnection, people: Collection[str]) -> frozenset[int]:
        """The keys that these people are found by, where our keyring let go of all of them.

        Nothing where anybody among them is found by a key of ours, or by one that nobody knows.
        """
        query = select(index.c.kid).where(among(index.c.subject, people)).distinct()
        kids = frozenset((await connection.execute(query)).scalars()) if people else frozenset()
        gone = {key.kid for key in self._set.keys if key.state is KeyState.DESTROYED}
        return kids if kids <= gone else frozenset()

    async def add(self, connection: AsyncConnection, people: Mapping[str, str]) -> set[str]:
        """Let subjects be found by their canonical address; returns those who are now.

        An address that is somebody's stays theirs, under every key: whoever
        lost the race for one of them is found by none.
        """
        keys = {kid: self._set.live[kid] for kid in self._written()}
        rows = [
            self._row(subject, kid, blind.blind_index(key, address))
            for subject, address in people.items()
            for kid, key in keys.items()
        ]
        if await insert_all(connection, index, rows, new_only=True) == len(rows):
            return set(people)
        wanted = among_hashes(connection, index.c.hash, [row["hash"] for row in rows])
        theirs = select(index.c.subject).where(wanted, among(index.c.subject, people))
        written = Counter((await connection.execute(theirs)).scalars())
        lost = {one for one in people if written[one] < len(keys)}
        await connection.execute(delete(index).where(among(index.c.subject, lost)))
        return people.keys() - lost

    async def move(self, connection: AsyncConnection, subject: str, address: str) -> bool:
        """Let somebody be found by another canonical address, and by that of before no more.

        Hold their gate, and keep intake out. False, and nothing written, where it is
        somebody else's, under whatever key.
        """
        rows = [
            self._row(subject, kid, blind.blind_index(self._set.live[kid], address))
            for kid in self._written()
        ]
        statement = upsert(connection, index).on_conflict_do_nothing().returning(index.c.hash)
        written = set((await connection.execute(statement, rows)).scalars())
        wanted = {row["hash"] for row in rows}
        moved = written == wanted
        kept = index.c.hash.in_(written) if not moved else index.c.hash.not_in(wanted)
        await connection.execute(delete(index).where(index.c.subject == subject, kept))
        return moved

    async def of(self, connection: AsyncConnection, subjects: Collection[str]) -> dict[str, Names]:
        """The hashes of these people; who has none is missing. Asks for no key."""
        query = select(index).where(among(index.c.subject, subjects))
        rows = (await connection.execute(query)).all()
        return {subject: self._names(rows, subject) for subject in {row.subject for row in rows}}

    async def elsewhere(
        self, connection: AsyncConnection, addresses: Mapping[str, str]
    ) -> set[str]:
        """Those subjects that an honest row finds by another address than their canonical one.

        By rows of keys that our keyring lacks nobody can tell.
        """
        keys, found = self._set.live, set()
        query = select(index).where(among(index.c.subject, addresses))
        for row in await connection.execute(query):
            key = keys.get(row.kid)
            if key is None or blind.blind_index(key, addresses[row.subject]) == row.hash:
                continue
            if SIGNED.fits(self.keys, row):
                found.add(row.subject)
        return found

    async def forget(
        self, connection: AsyncConnection, subjects: Collection[str]
    ) -> dict[str, Names]:
        """Let people whose gates are held be found no more; returns what they were found by."""
        statement = delete(index).where(among(index.c.subject, subjects)).returning(index)
        rows = (await connection.execute(statement)).all()
        return {subject: self._names(rows, subject) for subject in {row.subject for row in rows}}

    async def announce(self, connection: AsyncConnection) -> None:
        """Tell every node which of our keys are live; part of a start, before the first look-up.

        Only such as are newer than all that were told: an old keyring that
        turns up brings no key back.
        """
        self._note((await connection.execute(select(live_key))).all())
        newer = [
            Live(kind, kid)
            for kind in self._sets
            for kid in self._written(kind)
            if kid > max((of for told, of in self._told if told == kind), default=0)
        ]
        for one in newer:
            await self.tell(connection, *one)
        self._told |= frozenset(newer)

    async def tell(self, connection: AsyncConnection, kind: str, number: int) -> None:
        """Tell every node that a key is live, before anything is made with it."""
        one = Live(kind, number)
        row = {**one._asdict(), **self._rows.sign(live_key.name, *one)._asdict()}
        statement = upsert(connection, live_key).values(row)
        # What somebody planted under that number is not in the way.
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["kind", "number"], set_=row)
        )

    def checkable(self, of: SignedTable, kind: str = _LOOKUP) -> SignedTable:
        """The rows of a table signed by keys of the set *kind* that our keyring can check."""
        return replace(of, rows=of.rows.where(of.table.c.kid.not_in(self._unknown(kind))))

    async def adopt(self, connection: AsyncConnection, after: str | None = None) -> list[str]:
        """Move the next hashes of the first release from people's rows here.

        Returns whose they were, nobody behind the last. What no release wrote
        finds nobody.
        """
        subject = tables.subject
        old = select(subject.c.id, subject.c.blind_index).where(subject.c.blind_index.is_not(None))
        page = paging.by_name(old, subject.c.id, after, _AT_ONCE)
        rows = (await connection.execute(page)).all()
        moved = {
            row.blind_index: self._row(row.id, _FIRST, row.blind_index)
            for row in rows
            if isinstance(row.blind_index, bytes)
        }
        await self._move(connection, moved)
        done = among(subject.c.id, [row.id for row in rows])
        if after is None:  # and those that have no name that could be asked for
            done = or_(done, not_(fits(subject.c.id)))
        await connection.execute(update(subject).where(done).values(blind_index=None))
        return [row.id for row in rows]

    async def _move(
        self, connection: AsyncConnection, moved: Mapping[bytes, dict[str, object]]
    ) -> None:
        """Write rows by their hash; one that was moved before stays whose it was."""
        query = select(index).where(index.c.hash.in_(moved), index.c.kid == _FIRST)
        stand = (await connection.execute(query)).all()
        before = {row.hash for row in stand if SIGNED.fits(self.keys, row)}
        rows = [row for digest, row in moved.items() if digest not in before]
        if rows:
            statement = upsert(connection, index)
            # What somebody planted under a hash is not in the way of whose it was.
            again = {name: statement.excluded[name] for name in ("subject", "mac")}
            ours = statement.on_conflict_do_update(index_elements=["hash", "kid"], set_=again)
            await connection.execute(ours, rows)

    def _unknown(self, kind: str = _LOOKUP) -> set[int]:
        """The keys of that set that others may have, and we lack, or let go of before they did."""
        gone = {key.kid for key in self._sets[kind].keys if key.secret is None}
        return gone | {number for of, number in self.lacking if of == kind}

    def _written(self, kind: str = _LOOKUP) -> list[int]:
        """Those that rows are made with: live by our keyring, or because another node says so."""
        return [
            key.kid
            for key in self._sets[kind].keys
            if key.secret is not None
            and (key.state is not KeyState.ANNOUNCED or Live(kind, key.kid) in self._told)
        ]

    def _note(self, rows: Iterable[Any]) -> None:
        told = [Live(row.kind, row.number) for row in rows if LIVE.fits(self._rows, row)]
        self._told = frozenset(told)
        self.lacking = self._told - self.held()

    def _names(self, rows: Iterable[Any], subject: str) -> Names:
        theirs = [row for row in rows if row.subject == subject and isinstance(row.hash, bytes)]
        # Those under a key that we lack we cannot check.
        unknown = self._unknown()
        checked = [row for row in theirs if row.kid not in unknown]
        whole = bool(theirs) and all(SIGNED.fits(self.keys, row) for row in checked)
        return Names([row.hash for row in theirs], whole)

    def _row(self, subject: str, kid: int, digest: bytes) -> dict[str, Any]:
        mac = self.keys.sign(index.name, digest, subject, kid=kid).mac
        return {"hash": digest, "kid": kid, "subject": subject, "mac": mac}


async def astray(connection: AsyncConnection, limit: int) -> list[str]:
    """What finds nobody who lives, and who lives and is found by nothing: a row was deleted."""
    subject = tables.subject
    living = select(subject.c.id).where(
        subject.c.id == index.c.subject, subject.c.state == SubjectState.LIVE
    )
    stray = select(index.c.subject).where(~living.exists()).limit(limit)
    named = select(index.c.hash).where(index.c.subject == subject.c.id)
    lost = select(subject.c.id).where(subject.c.state == SubjectState.LIVE, ~named.exists())
    strays = (await connection.execute(stray)).scalars()
    return [
        *(f"subject_index of {one}: finds nobody who is here" for one in strays),
        *(
            f"subject {one}: no row of subject_index finds them"
            for one in (await connection.execute(lost.limit(limit))).scalars()
        ),
    ]


def _granting(row: Any) -> tuple[Value, ...]:
    return (row.hash, row.subject)


def _number(row: Any) -> tuple[Value, ...]:
    return (row.kind, row.number)


SIGNED = SignedTable(index, select(index), _granting)  # under the key that made the hash
LIVE = SignedTable(live_key, select(live_key), _number)
