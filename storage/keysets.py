"""Several keys of one kind, each with a number: which one signs, and which ones still count.

Every row that a key made names it (`kid`), so that a key can be followed by
another without a moment at which rows of either are strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from storage.clock import elapsed
from storage.errors import KeyringBehind
from storage.secret import Secret

# A process that is not heard for a minute is not waited for before a new key signs rows.
_KNOWS_FOR = timedelta(seconds=50)
# An old key is let go a day later at the earliest: nothing is made with it that long afterwards.
_SIGNS_FOR = timedelta(hours=1)


class KeyState(StrEnum):
    """Where a key stands; keys go through these in order."""

    ANNOUNCED = "announced"  # every node learns it; nothing is made with it yet
    ACTIVE = "active"
    RETIRING = "retiring"  # nothing new is made with it; what was made still counts
    DESTROYED = "destroyed"  # its number stays taken


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a set; *secret* is gone once it is destroyed."""

    kid: int
    state: KeyState
    secret: Secret | None


class KeySet:
    """The keys of one kind. One is active, at most; a destroyed one is remembered by its number.

    That of a running process is followed: it `stands` otherwise once its keys follow each
    other, for everybody who holds it. What is made of the keys is kept in *made*, which goes then.
    """

    def __init__(self, keys: Iterable[Key], *, monotonic: Callable[[], float] = elapsed) -> None:
        self.lacking: frozenset[int] = frozenset()
        self._monotonic = monotonic
        self.learnt_at: float | None = None  # None: nobody follows it
        self._stand(keys)
        if self._active is None:
            raise ValueError("a set of keys has one active key")

    def stand(self, keys: Iterable[Key], lacking: Collection[int], asked_at: float | None) -> None:
        """Stand so from here on, as was found by who began to ask at *asked_at*.

        *lacking* are numbers of keys that other nodes make rows with, and that are not among these.
        """
        self._stand(keys)
        self.lacking = frozenset(lacking)
        self.learnt_at = asked_at

    def _stand(self, keys: Iterable[Key]) -> None:
        found = tuple(sorted(keys, key=lambda key: key.kid))
        active = [key for key in found if key.state is KeyState.ACTIVE]
        if len({key.kid for key in found}) != len(found) or len(active) > 1:
            raise ValueError("a set of keys has one active key at most, and no number twice")
        if any((key.secret is None) != (key.state is KeyState.DESTROYED) for key in found):
            raise ValueError("a key that is not destroyed has a secret, and no other")
        self.keys = found
        self._active = active[0] if active else None
        self._secrets = {key.kid: key.secret for key in found if key.secret is not None}
        self.made: dict[object, Any] = {}

    @classmethod
    def of(cls, *secrets: Secret) -> KeySet:
        """Keys numbered from one, oldest first; the newest is active."""
        newest = len(secrets)
        states = {newest: KeyState.ACTIVE}
        numbered = enumerate(secrets, 1)
        return cls(Key(n, states.get(n, KeyState.RETIRING), secret) for n, secret in numbered)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeySet) and self.keys == other.keys

    __hash__ = None  # type: ignore[assignment]  # as that of a secret

    @property
    def kid(self) -> int:
        """The number of the key that new rows are made with; `KeyringBehind` as for `secret`."""
        return self._used().kid

    @property
    def secret(self) -> Secret:
        """The key that new rows are made with.

        Raises `KeyringBehind` where we have none that others would know, or where this process
        stood still so long that they may have let ours go.
        """
        return self._secrets[self._used().kid]

    def _used(self) -> Key:
        if self._active is None or self._older_than(_SIGNS_FOR):
            raise KeyringBehind
        return self._active

    def _older_than(self, age: timedelta) -> bool:
        learnt_at = self.learnt_at
        return learnt_at is not None and self._monotonic() - learnt_at > age.total_seconds()

    @property
    def live(self) -> dict[int, Secret]:
        """Every key that some row may need, by its number."""
        return dict(self._secrets)

    def get(self, kid: object) -> Secret | None:
        """The key of that number; None for one that was destroyed or never ours."""
        return self._secrets.get(kid) if isinstance(kid, int) else None

    def is_elsewhere(self, kid: object) -> bool:
        """Whether rows under a key that we do not have may be ours all the same.

        It is one that the others have, or we stood still and do not know of it yet.
        """
        if not isinstance(kid, int):
            return False
        known = any(key.kid == kid for key in self.keys)
        return kid in self.lacking or (not known and self._older_than(_KNOWS_FOR))

    @property
    def is_behind(self) -> bool:
        """Whether the others may have a key that we do not."""
        return bool(self.lacking) or self._older_than(_KNOWS_FOR)
