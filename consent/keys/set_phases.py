"""What comes next in the life of a key of a set: decided from what is known, by nobody.

announced: every process that runs learns it. active: rows are made with it. retiring: what the
one before made is made anew or ends, and once nothing needs it, nor a backup, keyrings let it
go. destroyed: and no copy of it gives anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.keys.phases import Backup, Declared
from consent.keys.sets import KeyName, SetKey, Standing
from consent.keys.wrapping import proof
from storage.keysets import Key, KeyState

# Longer than anything lives that has no row, and than a process that stands still makes rows.
RESTS = timedelta(hours=25)
# Without a key of these a process does nothing right; of the others it looks nobody up.
NEEDED = frozenset({"audit", "fingerprint", "rows", "signing", "web"})
_ORDER = tuple(KeyState)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the end of a key of some kind waits for, beside what names it."""

    backup: bool  # one from before may be put back, and would need it
    copies: bool  # a copy of it and of the data, both old, tell of addresses
    lasting: bool = False  # what names it cannot be made anew, and may stay for years


NEEDS: Mapping[str, Needs] = {
    "audit": Needs(backup=True, copies=False),
    "fingerprint": Needs(backup=False, copies=True),
    "lookup": Needs(backup=True, copies=True),
    "marks": Needs(backup=False, copies=True),
    "rows": Needs(backup=True, copies=False),
    "signing": Needs(backup=False, copies=False),
    "suppression": Needs(backup=True, copies=True, lasting=True),
    "web": Needs(backup=False, copies=False, lasting=True),
}


@dataclass(frozen=True, slots=True)
class Activate:
    """Everybody holds it."""

    name: KeyName


@dataclass(frozen=True, slots=True)
class Retire:
    """Its row was put back: another key followed it already."""

    name: KeyName


@dataclass(frozen=True, slots=True)
class Renew:
    """Rows that it made are there, or may be."""

    name: KeyName


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing needs it, nor a backup."""

    name: KeyName


@dataclass(frozen=True, slots=True)
class Destroy:
    """Nor does any copy of it give anything."""

    name: KeyName


Step = Activate | Retire | Renew | Release | Destroy


def next_steps(
    keys: Collection[SetKey],
    lacking: Mapping[KeyName, Collection[str]],
    backup: Backup | None,
    declared: Declared,
) -> list[Step]:
    """What can be done; *lacking* names, by key, the processes that run without it."""
    steps: list[Step] = []
    for one in keys:
        if one.is_followed(keys):
            steps.append(Retire(one.name))
        elif one.state is KeyState.ANNOUNCED and not lacking.get(one.name):
            steps.append(Activate(one.name))
        elif one.state is KeyState.RETIRING and one.renewed_at is None:
            steps.append(Renew(one.name))
        elif one.state is KeyState.RETIRING and one.released_at is None:
            if _backup_without(one, backup, declared):
                steps.append(Release(one.name))
        elif one.state is KeyState.RETIRING and (
            declared.copies_replaced or not NEEDS[one.name.kind].copies
        ):
            steps.append(Destroy(one.name))
    return steps


def _backup_without(one: SetKey, backup: Backup | None, declared: Declared) -> bool:
    if not NEEDS[one.name.kind].backup or (declared.no_backups and backup is None):
        return True
    return backup is not None and one.renewed_at is not None and backup.taken_at > one.renewed_at


def rested(one: SetKey, now: datetime, oldest: datetime | None) -> bool:
    """Whether nobody makes anything with a retiring key any more, who stood still included.

    *oldest* is since when the oldest transaction is open: it may have made a row with it.
    """
    return now >= one.since + RESTS and (oldest is None or oldest > one.since + RESTS / 2)


def waits_for(
    one: SetKey, lacking: Collection[str], held: Collection[str], now: datetime
) -> str | None:
    """What keeps a key from going on, in words; None: it rests."""
    if one.state is KeyState.ANNOUNCED:
        return f"waits for processes that lack it: {', '.join(lacking)}" if lacking else "is new"
    if one.state is not KeyState.RETIRING:
        return None
    if held:
        return f"kept by {'; '.join(held)}"
    if one.renewed_at is None:
        until = f"{one.since + RESTS:%Y-%m-%d %H:%M} UTC"
        return f"rests until {until}, and until every process holds the next"
    if one.released_at is None:
        return "kept until a backup is made and verified"
    return "recoverable until the copies of keyrings are replaced (--copies-replaced)"


def may_begin(keys: Collection[SetKey], now: datetime) -> bool:
    """Whether another key of this kind may follow: one at a time, as of key-encryption keys.

    One that stays because of what cannot be made anew is in nobody's way once it rested.
    """
    for one in keys:
        lasts = NEEDS[one.name.kind].lasting and now >= one.since + RESTS
        retiring = one.state is KeyState.RETIRING and not lasts
        announced = one.state is KeyState.ANNOUNCED and not one.is_followed(keys)
        if retiring or announced:
            return False
    return True


def following(ours: Iterable[Key], found: Standing, kind: str) -> int:
    """The number of the next key: behind all that are ours, by keyring or by row."""
    taken = {key.kid for key in ours} | {one.name.number for one in found.of(kind)}
    return max(taken, default=0) + 1


def stand(
    ours: Iterable[Key], kind: str, found: Standing, gone: Collection[KeyName] = ()
) -> tuple[list[Key], frozenset[int]]:
    """How our keys of a kind stand, and which numbers of the others' we lack.

    A key goes on only: to what its row says, where the keyring's file is behind, or stays what
    the file says. One that is not the announced one of its number is none of ours. *gone* are
    those that nothing needs. One at most is active: the newest, or who lacks that one the newest
    that counts still.
    """
    rows = {one.name.number: one for one in found.of(kind)}
    mine = [key for key in ours if _is_the_one(key, rows)]
    unread = found.foreign if kind == "rows" and not found.keys else frozenset()
    # One that was never used, of a number that signed what does not fit: another machine's counts.
    mine = [key for key in mine if key.state is not KeyState.ANNOUNCED or key.kid not in unread]
    stood = [_further(key, rows, KeyName(kind, key.kid) in gone) for key in mine]
    held = {key.kid for key in stood}
    lacking = {n for n, one in rows.items() if one.counts and n not in held}
    return _with_one_active(stood), frozenset(lacking | (unread - held))


def _is_the_one(key: Key, rows: Mapping[int, SetKey]) -> bool:
    row = rows.get(key.kid)
    return row is None or key.secret is None or proof(key.secret) == row.proof


def _further(key: Key, rows: Mapping[int, SetKey], gone: bool) -> Key:
    if gone:
        return Key(key.kid, KeyState.DESTROYED, None)
    row = rows.get(key.kid)
    if row is None or key.secret is None:
        return key
    # What is destroyed by its row goes from here only where that was asked of what names it.
    said = KeyState.RETIRING if row.state is KeyState.DESTROYED else row.state
    return replace(key, state=max(key.state, said, key=_ORDER.index))


def _with_one_active(keys: Sequence[Key]) -> list[Key]:
    usable = [key for key in keys if key.secret is not None]
    for state in (KeyState.ACTIVE, KeyState.RETIRING):
        if of := [key.kid for key in usable if key.state is state]:
            newest = max(of)
            return [_as_active(key, newest) for key in keys]
    return list(keys)


def _as_active(key: Key, newest: int) -> Key:
    if key.kid == newest:
        return replace(key, state=KeyState.ACTIVE)
    return replace(key, state=KeyState.RETIRING) if key.state is KeyState.ACTIVE else key
