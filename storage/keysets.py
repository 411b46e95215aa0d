"""Several keys of one kind, each with a number: which one signs, and which ones still count.

Every row that a key made names it (`kid`), so that a key can be followed by
another without a moment at which rows of either are strangers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from storage.secret import Secret


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
    """The keys of one kind. One is active, at most; a destroyed one is remembered by its number."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(sorted(keys, key=lambda key: key.kid))
        active = [key for key in self.keys if key.state is KeyState.ACTIVE]
        if len({key.kid for key in self.keys}) != len(self.keys) or len(active) != 1:
            raise ValueError("a set of keys has one active key, and no number twice")
        if any((key.secret is None) != (key.state is KeyState.DESTROYED) for key in self.keys):
            raise ValueError("a key that is not destroyed has a secret, and no other")
        self._active = active[0]
        self._secrets = {key.kid: key.secret for key in self.keys if key.secret is not None}

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
        """The number of the key that new rows are made with."""
        return self._active.kid

    @property
    def secret(self) -> Secret:
        """The key that new rows are made with."""
        return self._secrets[self._active.kid]

    @property
    def live(self) -> dict[int, Secret]:
        """Every key that some row may need, by its number."""
        return dict(self._secrets)

    def get(self, kid: object) -> Secret | None:
        """The key of that number; None for one that was destroyed or never ours."""
        return self._secrets.get(kid) if isinstance(kid, int) else None
