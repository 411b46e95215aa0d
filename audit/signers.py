"""The keys that sign a log's checkpoints, one after the other, and which of them signs what.

The keyring has the keys and the statements by which each signed in the next; the log has the
entries that say from which place on. So every process signs a size with the same key, whatever
it learned last of how keys stand: one that was followed signs nothing behind that entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, handovers, succession
from audit.checkpoints import Verifier
from audit.entry import Event, draft
from audit.errors import NoteError
from audit.handovers import Handover
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.rowmac import LOGGED
from audit.tables import audit_entry
from storage import straight
from storage.errors import StorageAway
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret
from storage.sound import sound

_ROTATED = (
    select(*LOGGED)
    .where(
        audit_entry.c.kind == Kind.KEY_ROTATED,
        audit_entry.c.leaf_index > bindparam("after"),
        sound(audit_entry),
    )
    .order_by(audit_entry.c.leaf_index)
)


@dataclass(frozen=True, slots=True)
class Span:
    """The sizes of a log that a key signs: from *start* until *end*, if there is one."""

    vkey: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class _Chain:
    """Public keys, oldest first, and what is known of each."""

    keys: Sequence[bytes]
    handovers: Sequence[Handover]  # between neighbours
    held: dict[bytes, Key]
    verifier: Verifier


class Signers:
    """The signing keys of the log that is named *first*, and of its successors.

    *keys* and *notes* are followed: what they get, it learns.
    """

    def __init__(self, first: str, keys: KeySet, notes: Sequence[str] = ()) -> None:
        self._first = first
        self._keys = keys
        self._notes = notes
        self._followed: dict[bytes, int] = {}  # as the log says: behind which place, and
        self._following: dict[bytes, bytes] = {}  # by which key
        self._after = -1  # the place of the last entry that was looked at

    @classmethod
    def of(cls, first: str, secret: Secret) -> Signers:
        """One key, which nothing follows."""
        return cls(first, KeySet.of(secret))

    @property
    def verifier(self) -> Verifier:
        """Of the first log, which knows its successors."""
        return self._chain.verifier

    @property
    def handovers(self) -> Sequence[str]:
        """The statements by which whoever trusts one of the keys can trust the others."""
        return [one.note for one in self._chain.handovers]

    def ends_at(self, number: int) -> int | None:
        """The place of the entry that let another key follow the one of that number.

        None while it signs, and of one that is not here.
        """
        secret = self._keys.get(number)
        return None if secret is None else self._followed.get(checkpoints.public(secret.reveal()))

    def seed(self, place: int) -> Secret:
        """The key for what covers the entries up to, not including, *place*.

        One that was followed before it signs it no more. Where that one is gone a newer one
        does: it counts for everything that is older, too. Raises `StorageAway` where none is here.
        """
        chain = self._chain
        for raw in chain.keys:
            held = chain.held.get(raw)
            if self._followed.get(raw, place) >= place and held and held.secret:
                return held.secret
        raise StorageAway("keyring")

    def seed_of(self, raw: bytes) -> Secret:
        """The secret of a public key; `StorageAway` where it is not here."""
        held = self._chain.held.get(raw)
        if held is None or held.secret is None:
            raise StorageAway("keyring")
        return held.secret

    def spans(self, generation: int) -> list[Span]:
        """Which keys sign for a log, and which of its sizes."""
        name, found, start = succession.name_of(self._first, generation), list[Span](), 0
        for raw in self._chain.keys:
            place = self._followed.get(raw)
            where = generation if place is None else succession.generation_of(place)
            ends = place is not None and where == generation
            if where >= generation:
                end = succession.index_of(place) if ends and place is not None else None
                found.append(Span(checkpoints.vkey_of(name, raw), start, end))
            if place is None:
                break  # what follows is not signed in yet
            start = succession.index_of(place) + 1 if ends else start
        return found

    @property
    def told(self) -> Verifier:
        """Of the first log, with the keys that the log has signed in, each up to its end."""
        return Verifier(*(one.vkey for one in self.spans(1)), followed=dict(self._followed))

    async def learn(self, connection: AsyncConnection, log: Log) -> None:
        """Learn from the log from which place on keys were followed; a look by an index.

        Also by one that our keyring lacks: ours signs no more behind it.
        """
        for row in await straight.rows(connection, _ROTATED, {"after": self._after}):
            one = log.logged(row)
            if one is not None:
                self._after = one.place
                self._take(one.entry.refs, one.place)

    def _take(self, refs: Mapping[str, str], place: int) -> None:
        try:
            found = handovers.of_refs(refs)
        except NoteError:
            return
        if found is not None and found.before in self._chain.keys:
            self._followed.setdefault(found.before, place)
            self._following.setdefault(found.before, found.key)

    async def sign_in(
        self, connection: AsyncConnection, log: Log, now: datetime, number: int = 0
    ) -> int:
        """Tell the log of each key that was put into use, and of that *number*; how many.

        None that it tells of already: also where it was closed before the entry, and goes on
        in its successor.
        """
        await self.learn(connection, log)
        chain, drafts = self._chain, []
        for one in chain.handovers:
            held = chain.held.get(one.key)
            waits = held is not None and held.state is KeyState.ANNOUNCED and held.kid != number
            if one.before not in self._followed and not waits:
                refs = one.refs(held.kid if held is not None else 0)
                event = Event(Kind.KEY_ROTATED, Actor.SYSTEM, now, refs=refs)
                drafts.append(draft(event, None, log.node))
        await log.stage(connection, drafts)
        return len(drafts)

    @property
    def _chain(self) -> _Chain:
        """As keys and statements are now; made once for each state of both."""
        made, of = self._keys.made, (len(self._notes), len(self._following))
        if (known := made.get(_Chain)) is None or known[0] != of:
            made[_Chain] = known = (of, self._link())
        chain: _Chain = known[1]
        return chain

    def _link(self) -> _Chain:
        usable = [(key, key.secret) for key in self._keys.keys if key.secret is not None]
        held = {checkpoints.public(secret.reveal()): key for key, secret in usable}
        statements = {one.key: one for one in map(handovers.read, self._notes)}
        keys, links = list(held)[-1:], list[Handover]()
        while keys and (link := statements.get(keys[0])) and link.before not in keys:
            keys.insert(0, link.before)
            links.insert(0, link)
        while keys and (following := self._following.get(keys[-1])) and following not in keys:
            keys.append(following)
        vkeys = (checkpoints.vkey_of(self._first, raw) for raw in keys)
        return _Chain(keys, links, held, Verifier(*vkeys, followed=self._followed))
