"""How much marketing goes in an hour or a day, as relay, receivers and a new sender want it. Pure.

A message over a quota is told its turn, which is counted at once: it waits as `deferred`, is
looked at once more, and goes then. No permission is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from delivery.outbox import Message, Status
from delivery.outcome import Kind
from delivery.schedule import LIFE
from gateway.config.config import Config, WarmUp
from gateway.config.durations import Cap
from gateway.limits import Bucket, Limit

QUOTA: Final = "quota"  # why a message waits for its turn
TAKEN_WITHIN: Final = timedelta(minutes=1)  # a turn that nobody took is not made up for
LONGEST: Final = LIFE  # a turn further off is none: the message would not live to see it
_AGAIN: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_AT_ONCE: Final = 20  # a twentieth of what goes in the window may go together
_GROWN: Final = 10_000_000  # a day: by then a sender is not new


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of what is called so may go; *about* names whose: a sender, a domain, or nobody."""

    name: str
    about: str
    cap: Cap

    @property
    def limit(self) -> Limit:
        """As a bucket that lets no more through in any window, from its first mail on."""
        burst = max(self.cap.count // _AT_ONCE, 1)
        apart = -(-self.cap.window // (self.cap.count - burst + 1))  # rounded up
        return Limit(f"quota/{self.name}", burst, apart)

    @property
    def daily(self) -> int:
        """How many a day, one at least."""
        return max(int(self.cap.count * (_DAY / self.cap.window)), 1)


def stands(config: Config) -> bool:
    """Whether there is any quota."""
    relay = _relay(config)
    return any(cap is not None for cap in relay) or any(
        sender.warm_up is not None for sender in config.senders.values()
    )


def asks_domain(config: Config) -> bool:
    """Whether it matters where a mail goes."""
    return _relay(config)[1] is not None


def of(config: Config, sender: str, domain: str | None, now: datetime) -> Iterator[Quota]:
    """What a marketing mail of this sender to this domain counts against."""
    at_most, per_domain = _relay(config)
    if at_most is not None:
        yield Quota("relay", "", at_most)
    if per_domain is not None and domain is not None:
        yield Quota("domain", domain, per_domain)
    known = config.senders.get(sender)
    if known is not None and known.warm_up is not None:
        grown = warmed(known.warm_up, now)
        if grown is not None:
            yield Quota("sender", sender, grown)


def warmed(warm_up: WarmUp, now: datetime) -> Cap | None:
    """How many a new sender may send today; None once it is new no more."""
    begun = datetime.combine(warm_up.since, time(), UTC)
    count = float(warm_up.first_day)
    for _ in range(max((now - begun) // _DAY, 0)):
        count *= warm_up.growth
        if count >= _GROWN or warm_up.growth == 1:
            break
    return None if count >= _GROWN else Cap(int(count), _DAY)


def ahead(config: Config, sender: str, most: int, now: datetime) -> int:
    """How many messages of a campaign may wait, *most* otherwise: no more than go in a day.

    What has waited for its turn for five days ends unsent.
    """
    return min((one.daily for one in of(config, sender, "", now)), default=most)


def has_turn(message: Message, now: datetime) -> bool:
    """Whether it was counted before, and its turn is now."""
    counted = message.status is Status.DEFERRED and message.reason == QUOTA
    return counted and message.due_at > now - TAKEN_WITHIN


def counts(message: Message, now: datetime) -> bool:
    """Whether a mail that may be sent is still to be counted."""
    return message.kind is Kind.MARKETING and not has_turn(message, now)


def turn(buckets: Sequence[Bucket], now: datetime) -> datetime | None:
    """Count a mail against all of them; when its turn is, or None: now."""
    waits = [bucket.pour(now) for bucket in buckets]
    longest = max((_AGAIN if wait is None else wait for wait in waits), default=timedelta())
    return now + longest if longest else None


def _relay(config: Config) -> tuple[Cap | None, Cap | None]:
    delivery = config.delivery
    if delivery.transport != "relay":
        return None, None
    return delivery.relay.at_most, delivery.relay.per_domain
