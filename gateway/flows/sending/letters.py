"""What a worker's parcel carries: what a mail is made of, and then the mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consent.address_links import AddressLink
from consent.gates import Gate
from consent.keys.vault import Vault
from delivery.desk import Composed
from delivery.outbox import Message, Stored
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Sealed:
    """A permitted message with what its mail is made of, still sealed."""

    message: Message
    dated_at: datetime
    gate: Gate
    content: Stored
    handle: bytes | None = field(repr=False)  # opens the unsubscribe link
    vault: Vault = field(repr=False)
    keys: Mapping[str, Secret] = field(repr=False, default_factory=dict)  # of a shared content
    to: AddressLink | None = None  # elsewhere than to the mailbox on file


@dataclass(frozen=True, slots=True)
class _Ready:
    mail: Composed | None


class Letter:
    """Sealed at first, then perhaps composed ahead, and empty once it was taken out or dropped.

    Whoever holds the parcel on, until its outcome is written, holds no key and
    no word of it then.
    """

    __slots__ = ("_held",)

    def __init__(self, sealed: Sealed) -> None:
        self._held: Sealed | _Ready | None = sealed

    @property
    def is_sealed(self) -> bool:
        return isinstance(self._held, Sealed)

    def unseal(self) -> Sealed:
        """Take out what the mail is made of; once."""
        sealed, self._held = self._held, None
        assert isinstance(sealed, Sealed)  # noqa: S101 each is asked for once
        return sealed

    def compose(self, compose: Callable[[Sealed], Composed | None]) -> None:
        """Keep the mail instead of what it is made of; that stays where `VersionAway` is raised."""
        sealed = self._held = self.unseal()
        self._held = _Ready(compose(sealed))

    def give_up(self) -> None:
        """There is no mail of it, for whatever reason."""
        self._held = _Ready(None)

    def take(self) -> Composed | None:
        """Take out the mail, once it was composed; None where it has none, for whatever reason."""
        ready, self._held = self._held, None
        assert isinstance(ready, _Ready)  # noqa: S101 each is asked for once
        return ready.mail

    def drop(self) -> None:
        """Let go of what will not be asked for, with the keys that open it."""
        self._held = None
