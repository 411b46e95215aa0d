"""What a worker holds ready to send, and how much of it one claim may take. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 200  # a bigger claim is no cheaper for one message, and holds its gates for longer
_MESSAGE: Final = itemgetter(0)
_FEW: Final = 4  # of a relay that is not known yet


@dataclass(slots=True)
class _Claim:
    """What was claimed together, and what is left of it."""

    began: float
    full: bool
    left: int


class Hand(Generic[T]):
    """Claimed messages that wait for a connection, oldest first.

    Moments are seconds of one monotonic clock. A claim may take what can be
    begun in half the life of its permits: deciding, composing, signing and
    waiting behind others come out of it. How much that is shows only in the
    doing, so a claim whose last message began late halves the next one, and a
    full claim that was begun in a quarter of the time doubles it.
    """

    def __init__(self, permit_ttl: float, margin: float) -> None:
        self._half = permit_ttl / 2
        self._life = permit_ttl - margin
        self._waiting: deque[tuple[T, _Claim]] = deque()
        self.share = _FEW
        self.took_at = float("-inf")  # when the last message was taken out

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        """What will be taken out next, in order."""
        return map(_MESSAGE, self._waiting)

    @property
    def is_low(self) -> bool:
        """Whether it is time to claim again, so that connections need not wait.

        Much of what a claim brings is begun while the next one gets its answers,
        where mails go fast: asked for at half of it, connections ran dry.
        """
        return 4 * len(self._waiting) <= 3 * self.share

    def is_moving(self, now: float) -> bool:
        """Whether connections that are busy come free: what is claimed for them will begin."""
        return now - self.took_at < self._half / 4

    def add(self, messages: Sequence[T], began: float) -> bool:
        """Take in what a claim that *began* then got; says whether it got all that it asked for."""
        full = len(messages) >= self.share
        claim = _Claim(began, full, len(messages))
        self._waiting.extend((message, claim) for message in messages)
        return full

    def take(self, now: float) -> tuple[T, float] | None:
        """The next message, and until when it may begin."""
        if not self._waiting:
            return None
        self.took_at = now
        message, claim = self._pop(now)
        return message, claim.began + self._life

    def late(self, now: float) -> list[T]:
        """Take out what may not begin any more."""
        late = []
        while self._waiting and self._waiting[0][1].began + self._life <= now:
            message, _ = self._pop(now)
            late.append(message)
        return late

    def clear(self) -> list[T]:
        """Take out everything: nothing more is to begin."""
        left = [message for message, _ in self._waiting]
        self._waiting.clear()
        return left

    def _pop(self, now: float) -> tuple[T, _Claim]:
        message, claim = self._waiting.popleft()
        claim.left -= 1
        if not claim.left:
            self._learn(claim, now - claim.began)
        return message, claim

    def _learn(self, claim: _Claim, took: float) -> None:
        if took > self._half:
            self.share = max(1, self.share // 2)
        elif claim.full and took < self._half / 2:
            self.share = min(MOST, self.share * 2)
