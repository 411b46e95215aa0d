"""What comes next in the life of the key-encryption keys: decided from what is known, by nobody.

announced: every process that runs learns the key. active: it wraps. retiring: what
it wrapped is wrapped anew; once a backup of the key store was verified after
that, or there never was one, keyrings let it go. destroyed: and no copy of a keyring has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consent.keys.epochs import Epoch, EpochState


class Backup(Protocol):
    """A backup of the key store that was put back and found whole."""

    @property
    def taken_at(self) -> datetime: ...

    @property
    def wrapping(self) -> Collection[int]:
        """The epochs that keys in it are wrapped under."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Processes that do not hold a new key yet, by their names."""

    epoch: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Activate:
    """Everybody holds it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Its row was put back: another epoch followed it already."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Rewrap:
    """It wraps keys still."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Release:
    """No backup that may be restored is wrapped under it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Declared:
    """What only the operator knows, said with one command."""

    no_backups: bool = False  # of the key store, from before the re-wrap
    copies_replaced: bool = False  # of keyrings


@dataclass(frozen=True, slots=True)
class Destroy:
    """No copy of a keyring has it."""

    epoch: int


Step = Wait | Activate | Retire | Rewrap | Release | Destroy


def next_steps(
    epochs: Sequence[Epoch],
    waited_for: Mapping[int, Collection[str]],
    backup: Backup | None,
    declared: Declared,
) -> list[Step]:
    """What can be done, or must be waited for, with each epoch; nothing for one that rests.

    *waited_for* names, by epoch, the processes that run without it; *backup* is the newest
    that was verified.
    """
    steps: list[Step] = []
    for one in epochs:
        if not one.honest:
            continue
        if one.is_followed(epochs):
            steps.append(Retire(one.epoch))
        elif one.state is EpochState.ANNOUNCED:
            names = tuple(waited_for.get(one.epoch, ()))
            steps.append(Wait(one.epoch, names) if names else Activate(one.epoch))
        elif one.state is EpochState.RETIRING:
            steps += _retiring(one, backup, declared)
    return steps


def _retiring(one: Epoch, backup: Backup | None, declared: Declared) -> list[Step]:
    if one.rewrapped_at is None:
        return [Rewrap(one.epoch)]
    if one.released_at is None:
        # A backup that was verified speaks against who says that there is none.
        none_exist = declared.no_backups and backup is None
        done = none_exist or _does_without(backup, one.epoch, one.rewrapped_at)
        return [Release(one.epoch)] if done else []
    # The copies are replaced by one of a keyring that has let go of it.
    return [Destroy(one.epoch)] if declared.copies_replaced else []


def _does_without(backup: Backup | None, number: int, since: datetime) -> bool:
    return backup is not None and backup.taken_at > since and number not in backup.wrapping


def may_begin(epochs: Sequence[Epoch]) -> bool:
    """Whether another epoch may follow: one at a time, or copies of two would tell what went.

    A row that was put back, of an epoch whose key nobody has any more, is in nobody's way.
    """
    under_way = (EpochState.ANNOUNCED, EpochState.RETIRING)
    return not any(
        one.honest and one.state in under_way and not one.is_followed(epochs) for one in epochs
    )


def known(epochs: Sequence[Epoch], held: Collection[int]) -> list[int]:
    """Numbers that the next epoch comes behind, of rows and keys that are ours.

    One that only a planted row has is passed over where it is next, and counts for nothing else.
    """
    taken = {one.epoch for one in epochs}
    found = {one.epoch for one in epochs if one.honest or one.epoch in held}
    coming = max(found.union(held), default=0) + 1
    while coming in taken:
        found.add(coming)
        coming += 1
    return sorted(found)


def recoverable(one: Epoch) -> str | None:
    """Until when copies may give what was wrapped under a retiring epoch; None: it rests."""
    if one.state is not EpochState.RETIRING:
        return None
    if one.rewrapped_at is None:
        return "its keys are wrapped under the next epoch"
    if one.released_at is None:
        return "a backup of the key store is made and verified, and the copies of keyrings replaced"
    return "the copies of keyrings are replaced (gateway keys rotate --copies-replaced)"


def copies_read(epochs: Sequence[Epoch], destroyed_at: datetime) -> bool:
    """Whether an epoch that may have wrapped a key which was destroyed then still opens copies.

    Every earlier one may: a key was wrapped under each that was active while it was there.
    """
    return not any(one.honest for one in epochs) or any(
        one.state is EpochState.RETIRING
        or (one.state is EpochState.ACTIVE and one.since <= destroyed_at)
        or not one.honest
        for one in epochs
    )
