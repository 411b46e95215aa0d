"""Two lanes of what a worker holds: service mail leaves first, and has connections left. Pure.

A relay that is slow with a campaign has a dialogue of it on every connection that it may use. A
confirmation that came then would stand in line behind all of them, and no order of claims helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, TypeVar

from delivery.hand import MOST, Hand

T = TypeVar("T")

_SOON: Final = 0.2  # seconds; where a claim brought all service mail there was, more may have come
_FEW: Final = 4  # of fewer connections one kept free would be too much of them


def kept_free(connections: int) -> int:
    """How many of so many connections no marketing is sent over: a tenth, one at least."""
    return max(connections // 10, 1) if connections >= _FEW else 0


@dataclass(frozen=True, slots=True)
class Ask:
    """How much the next claim may take; without *marketing* that waits.

    To find so much it may decide *most*, where that is more.
    """

    wanted: int
    marketing: bool
    most: int = 0


class Lanes(Generic[T]):
    """A hand of each class of mails, and how many *connections* of the relay carry marketing.

    Each hand learns by itself how much of its class is begun in time. Moments are seconds of one
    monotonic clock.
    """

    def __init__(self, permit_ttl: float, margin: float, is_service: Callable[[T], bool]) -> None:
        self._is_service = is_service
        self._service = Hand[T](permit_ttl, margin)
        self._marketing = Hand[T](permit_ttl, margin)
        self._carried = 0  # marketing that is under way
        # Whether there is more, as far as the last claim showed: of service mail, and in all.
        self._full = {False: False, True: False}
        self._most = 0  # to be decided, where those in front only wait
        self._asked = float("-inf")  # when it last claimed
        self.connections = 1

    def __iter__(self) -> Iterator[T]:
        """What will be taken out next, in order."""
        return chain(self._service, self._marketing)

    @property
    def ready(self) -> int:
        """How many of what is held may be begun now, given connections."""
        return len(self._service) + min(len(self._marketing), self._room)

    @property
    def has_more(self) -> bool:
        """Whether a connection more would have something to do."""
        service = bool(self._service) or self._full[False]
        return service or (self._room > 0 and (bool(self._marketing) or self._full[True]))

    @property
    def runs_out(self) -> bool:
        """Whether it is time to claim what there is more of."""
        more = self._full[False] or (self._full[True] and self._marketing.is_low)
        return more and self._service.is_low

    def ask(self, now: float, *, idle: bool) -> Ask | None:
        """What to claim now, with *idle* connections or none: no more than is begun in time.

        Whoever is answered claims: service mail alone is not asked for again at once.
        """
        moving = self._marketing.is_moving(now)
        if not self._service.is_low or not (idle or moving or self._service.is_moving(now)):
            return None
        could = self._marketing.is_low and (moving or (idle and self._room > 0))
        if could and not self._full[False]:
            self._asked = now
            return Ask(self._marketing.share, marketing=True, most=self._most)
        if not (self._full[False] or self.goes_on) and now < self._asked + _SOON:
            return None
        self._asked = now
        return Ask(self._service.share, marketing=False, most=self._most)

    @property
    def goes_on(self) -> bool:
        """Whether the last claim met messages that wait or end: what is behind them is due, too."""
        return self._most > 0

    def add(self, asked: Ask, mails: Sequence[T], began: float, others: int = 0) -> None:
        """Take in what a claim that *began* then got, having decided *others* that it did not.

        Those may be a whole campaign to a domain that is over its quota, older than all else. A
        permit says nothing of them, so there may be twice as many of them the next time.
        """
        passed = others > 0 and len(mails) < asked.wanted
        self._most = min(MOST, 2 * max(asked.wanted, asked.most)) if passed else 0
        service = [one for one in mails if self._is_service(one)]
        marketing = [one for one in mails if not self._is_service(one)]
        self._service.add(service, began)
        self._marketing.add(marketing, began)
        # A claim for marketing brings service mail first, as much of it as marketing may be. Asked
        # for again and again so, a burst would be more than is begun in time.
        self._full[False] = len(service) >= min(self._service.share, asked.wanted)
        if asked.marketing:
            self._full[True] = len(mails) >= asked.wanted

    def none_came(self) -> None:
        """A claim failed: nobody knows whether there is more."""
        self._full = dict.fromkeys(self._full, False)
        self._most = 0

    def take(self, now: float) -> tuple[T, float] | None:
        """The next mail, and until when it may begin; `ended` is told of it later."""
        taken = self._service.take(now)
        if taken is None and self._room > 0:
            taken = self._marketing.take(now)
            self._carried += taken is not None
        return taken

    def ended(self, mail: T) -> None:
        """A mail that was taken out is not under way any more."""
        self._carried -= not self._is_service(mail)

    def late(self, now: float) -> list[T]:
        """Take out what may not begin any more."""
        return [*self._service.late(now), *self._marketing.late(now)]

    def clear(self) -> list[T]:
        """Take out everything: nothing more is to begin."""
        return [*self._service.clear(), *self._marketing.clear()]

    @property
    def _room(self) -> int:
        free = self.connections - kept_free(self.connections) - self._carried
        return max(free, 0)
