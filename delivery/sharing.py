"""Which of the due messages a worker takes first, so that several do not want the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

_TURN: Final = 2  # seconds


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due, as it was seen without locking it."""

    message: str
    subject: str
    urgent: bool  # service mail: a confirmation must not stand in line behind a campaign
    campaign: str | None = None  # whose it is one of
    parked: bool = False  # it could not be decided before, and comes behind all others


@dataclass(frozen=True, slots=True)
class Rank:
    """A worker's place among those that run."""

    place: int = 0
    of: int = 1


def in_turn(due: Sequence[Due], rank: Rank, now: datetime) -> list[Due]:
    """Order what is *due*, oldest first: one's own share, then the others' from its far end.

    There they come last themselves. Urgent ones come before all else, whosever
    they are. A person's messages are one worker's, so that two do not wait for one
    gate. Shares go round every two seconds: what falls to a worker that is stuck is
    soon another's, and is taken before younger ones then.
    """
    turn = int(now.timestamp()) // _TURN

    def order(placed: tuple[int, Due]) -> tuple[bool, bool, bool, int]:
        place, one = placed
        theirs = (crc32(one.subject.encode(errors="replace")) + turn) % rank.of != rank.place
        return one.parked, not one.urgent, theirs, -place if theirs else place

    return [one for _, one in sorted(enumerate(due), key=order)]
