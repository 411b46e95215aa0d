"""What somebody who took something can read of people: decided from what was taken. Pure.

In doubt it is readable: a notice that says too little breaks the law, one that says too much
frightens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Store(StrEnum):
    """What can be taken: the thing itself, or a copy of it."""

    DATA = "data"  # the data database
    KEYSTORE = "keystore"
    KEYRING = "keyring"
    GUARD = "guard"  # the guard's store, where it is not the key store
    LOGS = "logs"  # log lines, and the journals of workers
    EXPORTS = "exports"  # what was handed out of people: on a laptop, in a mailbox


class Matter(StrEnum):
    """What is kept of people, by how it is kept."""

    PROFILE = "profile"  # sealed: addresses, answers in forms, what mails said
    EVIDENCE = "evidence"  # sealed: what proves consents
    STAFF = "staff"  # sealed: who operators are
    KNOWN = "known"  # by keyed hash: whether an address is in it at all
    FACTS = "facts"  # by random id: what was agreed to, what was sent, when
    TAKINGS = "takings"  # by random id: who took something back
    LINES = "lines"  # of logs and journals
    EXPORTED = "exported"  # as it was handed out


class Reach(StrEnum):
    """How far whoever took it can read it; the further one comes later."""

    NOT_TAKEN = "not_taken"
    NOTHING = "nothing"  # there is nothing of people in it
    SEALED = "sealed"  # taken, and closed without what was not taken
    PSEUDONYMOUS = "pseudonymous"  # it reads, and names nobody
    BY_GUESSING = "by_guessing"  # for an address that is guessed
    READABLE = "readable"


SEALED: tuple[Matter, ...] = (Matter.PROFILE, Matter.EVIDENCE, Matter.STAFF)


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that was in somebody's hands as it stood at any moment from *first* to *last*."""

    store: Store
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class KeyLife:
    """When rows were made under a key of the keyring, and when keyrings held it; None: no bound.

    Copies that stand outside the keyring's own place are not told of here: each is something
    that was taken, or was not.
    """

    number: int
    since: datetime | None = None
    used_until: datetime | None = None
    held_until: datetime | None = None

    def used_in(self, taken: Taken) -> bool:
        return _overlaps(self.since, self.used_until, taken)

    def held_in(self, taken: Taken) -> bool:
        return _overlaps(self.since, self.held_until, taken)


@dataclass(frozen=True, slots=True)
class KeyLives:
    """Those that wrap data keys, and those of hashes of addresses."""

    wrapping: Sequence[KeyLife]
    hashing: Sequence[KeyLife]


@dataclass(frozen=True, slots=True)
class Finding:
    """How far a matter is in reach, and by which key epochs where it is readable."""

    matter: Matter
    reach: Reach
    epochs: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom it is about: known by *until*, and not erased before *since*."""

    since: datetime
    until: datetime


def decide(taken: Collection[Taken], lives: KeyLives) -> list[Finding]:
    """How far each matter is in reach of whoever has all of *taken* together."""
    epochs = _opening(taken, lives.wrapping)
    data, guessing = _any(taken, Store.DATA), _guessing(taken, lives.hashing)
    found = [Finding(one, _sealed(data, epochs), epochs) for one in SEALED]
    found.append(Finding(Matter.KNOWN, _known(data, epochs, guessing)))
    found.append(Finding(Matter.FACTS, _facts(taken, epochs, guessing)))
    found.append(Finding(Matter.TAKINGS, _takings(taken, epochs, guessing)))
    lines = Reach.NOTHING if _any(taken, Store.LOGS) else Reach.NOT_TAKEN
    found.append(Finding(Matter.LINES, lines))
    exported = Reach.READABLE if _any(taken, Store.EXPORTS) else Reach.NOT_TAKEN
    return [*found, Finding(Matter.EXPORTED, exported)]


def furthest(found: Collection[Finding]) -> Reach:
    """The furthest that anything is in reach."""
    order = list(Reach)
    return max((one.reach for one in found), key=order.index, default=Reach.NOT_TAKEN)


def readable_people(taken: Collection[Taken], lives: KeyLives) -> Concerned | None:
    """Whose sealed data opens; None: nobody's.

    Their rows have to be in a copy of the data, their keys in one of the key store that a
    keyring which was taken opens. Of several the widest counts.
    """
    pairs = [
        (data, keys)
        for data in _of(taken, Store.DATA)
        for keys in _of(taken, Store.KEYSTORE)
        if _opening([keys, *_of(taken, Store.KEYRING)], lives.wrapping)
    ]
    spans = [Concerned(max(a.first, b.first), min(a.last, b.last)) for a, b in pairs]
    return _widest(spans)


def people_in(taken: Collection[Taken]) -> Concerned | None:
    """Who is in any copy of the data, readable or not; None: no copy was taken."""
    return _widest([Concerned(one.first, one.last) for one in _of(taken, Store.DATA)])


def missing(taken: Collection[Taken], lives: KeyLives) -> tuple[Store, ...]:
    """What would have to be taken, too, before sealed data that was taken reads."""
    if not _any(taken, Store.DATA) or _opening(taken, lives.wrapping):
        return ()
    away = [one for one in (Store.KEYSTORE, Store.KEYRING) if not _any(taken, one)]
    return tuple(away) or (Store.KEYRING,)  # there is one, of another time


def _opening(taken: Collection[Taken], lives: Sequence[KeyLife]) -> frozenset[int]:
    """The epochs that wrap keys in a copy of the key store, and are in a copy of the keyring."""
    stores, rings = _of(taken, Store.KEYSTORE), _of(taken, Store.KEYRING)
    return frozenset(
        life.number
        for life in lives
        if any(map(life.used_in, stores)) and any(map(life.held_in, rings))
    )


def _guessing(taken: Collection[Taken], lives: Sequence[KeyLife]) -> bool:
    copies, rings = _of(taken, Store.DATA), _of(taken, Store.KEYRING)
    return any(any(map(one.used_in, copies)) and any(map(one.held_in, rings)) for one in lives)


def _sealed(data: bool, epochs: Collection[int]) -> Reach:
    if not data:
        return Reach.NOT_TAKEN
    return Reach.READABLE if epochs else Reach.SEALED


def _known(data: bool, epochs: Collection[int], guessing: bool) -> Reach:
    if guessing and not epochs:
        return Reach.BY_GUESSING
    return _sealed(data, epochs)


def _facts(taken: Collection[Taken], epochs: Collection[int], guessing: bool) -> Reach:
    """The key store has them, too, as far as random ids and moments go."""
    if not _any(taken, Store.DATA):
        return Reach.PSEUDONYMOUS if _any(taken, Store.KEYSTORE) else Reach.NOT_TAKEN
    return _by_id(epochs, guessing)


def _takings(taken: Collection[Taken], epochs: Collection[int], guessing: bool) -> Reach:
    """Where the guard has no place of its own, whoever took the key store has it, too.

    That the caller says; ids lead to people by the data alone.
    """
    if not _any(taken, Store.GUARD):
        return Reach.NOT_TAKEN
    return _by_id(epochs, guessing) if _any(taken, Store.DATA) else Reach.PSEUDONYMOUS


def _by_id(epochs: Collection[int], guessing: bool) -> Reach:
    if epochs:
        return Reach.READABLE
    return Reach.BY_GUESSING if guessing else Reach.PSEUDONYMOUS


def _overlaps(since: datetime | None, until: datetime | None, taken: Taken) -> bool:
    begun = since is None or since <= taken.last
    return begun and (until is None or until >= taken.first)


def _of(taken: Collection[Taken], store: Store) -> list[Taken]:
    return [one for one in taken if one.store is store]


def _any(taken: Collection[Taken], store: Store) -> bool:
    return any(one.store is store for one in taken)


def _widest(spans: Sequence[Concerned]) -> Concerned | None:
    if not spans:
        return None
    return Concerned(min(one.since for one in spans), max(one.until for one in spans))
