"""What the worker needs decided and written, and the values that go to and fro.

Delivery states it, knowing nothing of people; the composition root meets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from delivery.outcome import Ending, Kind
from delivery.permits import Spending
from delivery.transmission import Envelope, Peer

L = TypeVar("L")
L_co = TypeVar("L_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a mail that must be proven can be made again from: see `delivery.remaking`."""

    specimen: bytes = field(repr=False)
    values: bytes = field(repr=False)  # sealed for its recipient


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail as it goes out; *digest* is that of its bytes, *signature* that of its signature."""

    digest: str
    envelope: Envelope
    kept: Kept | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel(Generic[L_co]):
    """A leased and permitted message, with a *letter* that its desk alone can open."""

    message: str
    attempt: int
    permit: str
    subject: str
    kind: Kind
    letter: L_co = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Ended(Generic[L_co]):
    """How a parcel's transmission ended; *aborted* by ourselves, before the final dot.

    *digest* is that of the mail, once there was one; an *unsendable* message has none.
    *peer* is who the dialogue was with.
    """

    parcel: Parcel[L_co]
    ending: Ending
    digest: str | None = None
    aborted: bool = False
    unsendable: bool = False
    kept: Kept | None = field(default=None, repr=False, compare=False)
    peer: Peer | None = None
    signature: str | None = None


class Claimed(list[Parcel[L]], Generic[L]):
    """The parcels of a claim; *others* are due messages that it ended or put off instead."""

    def __init__(self, parcels: Iterable[Parcel[L]] = (), others: int = 0) -> None:
        super().__init__(parcels)
        self.others = others


class Desk(Protocol[L]):
    """What the worker needs decided and written; the composition root provides it."""

    async def register(self, owner: str) -> None: ...

    async def renew(self, owner: str) -> bool:
        """Prolong the lease; False when another took it over."""

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed[L]:
        """Lease and permit up to *wanted* due messages; without *marketing* that waits.

        To find them it decides as many, or *most* where that is more.
        """

    async def compose(self, parcel: Parcel[L], following: Iterable[Parcel[L]]) -> Composed | None:
        """The mail of *parcel*, asked for right before it begins; None where it has no form as one.

        Nothing else opens the address. Ask once: the letter is empty then. What
        is *following* in the hand, while it is there, may be composed ahead. Raises
        `StorageAway` where what it is made of cannot be read now.
        """

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        """Mark permits spent, in one transaction; only those returned may pass the dot."""

    async def settle(self, owner: str, ended: Sequence[Ended[L]]) -> Collection[str]:
        """Write outcomes; letters that were not asked for are dropped.

        Returns the messages of which nothing could be written: what the journal
        says of them must stay.
        """

    async def take_back(self, owner: str, carried: Collection[tuple[str, int]]) -> None:
        """Queue again what *owner* holds, does not carry, and may not start any more.

        *carried* names messages with their attempts: the end of an earlier
        attempt may come while a later one is under way.
        """

    async def leave(self, owner: str) -> None:
        """Forget a worker that holds nothing any more."""
