"""When a message that could not be handed over is due again. Pure.

5 minutes first, for greylisting, then twice as long each time up to 4 hours.
RFC 5321, section 4.5.4.1 asks for 30 minutes between two tries of one host and
for giving up after 4 to 5 days; the early tries here are common practice.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

FIRST_DELAY: Final = timedelta(minutes=5)
LONGEST_DELAY: Final = timedelta(hours=4)
AFTER_DOUBT: Final = timedelta(minutes=30)
LIFE: Final = timedelta(days=5)  # how long a message is tried when nobody says otherwise
_STEPS: Final = 7  # doublings after which the delay is at its longest anyway
_AT_ONCE: Final = 5
_LONG: Final = 12
_SOON: Final = timedelta(seconds=2)


def next_due(tries: int, now: datetime, message: str, *, in_doubt: bool = False) -> datetime:
    """The moment after *tries* transmissions were begun; the same for the same message and try.

    Jitter of a tenth, drawn from the message's id, keeps a failed batch from
    coming back as one. After an attempt in doubt half an hour passes at least:
    a server that is slow to answer may still be storing the first copy.
    """
    delay = min(FIRST_DELAY * (1 << min(max(tries - 1, 0), _STEPS)), LONGEST_DELAY)
    if in_doubt:
        delay = max(delay, AFTER_DOUBT)
    return now + delay * (1 + _fraction(message, tries) / 10)


def begin_again(unbegun: int, now: datetime) -> datetime:
    """When a message is due whose last *unbegun* attempts were claimed and never begun.

    At once for a few times: its worker was stopped, or too slow for once. One
    that is too slow each time must not keep the others from being claimed, and
    one that kills its worker must not do so all the time: it waits ever longer,
    up to more than two hours.
    """
    waits = min(max(unbegun - _AT_ONCE, 0), _LONG)
    return now + _SOON * ((1 << waits) - 1)


def _fraction(message: str, tries: int) -> float:
    """A number from 0 to 1 that looks random and is always the same."""
    digest = hashlib.sha256(f"{message}/{tries}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
