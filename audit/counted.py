"""Which facts are a person's, written down as long as their keys can tell.

Once the keys are destroyed whoever writes rows can put the facts of somebody else under the
name of who is erased. So what goes then is what was counted before, and nothing else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audit.entry import Entry
from audit.kinds import Kind

_HEAD = struct.Struct(">QII")  # the moment in milliseconds, how many payloads and items
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_EID = 16
_ITEM = struct.Struct(f">{_EID}sI")
_FEWEST, _MOST = 0, 2**32 - 1  # of the positions of items
# What is told without a gate, by processes that keep a key for a minute after it is gone.
_LATE_KINDS = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH, Kind.MESSAGE_CANCELLED)
_LATE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Counted:
    """A person's facts as they were at a moment: events of payloads, places of items."""

    at: datetime
    payloads: frozenset[bytes]
    items: frozenset[tuple[bytes, int]]

    def has_item(self, place: tuple[bytes, int], event: Entry | None) -> bool:
        """Whether an item is theirs, or can have become so while the keys went."""
        late = event is not None and event.kind in _LATE_KINDS and abs(event.at - self.at) <= _LATE
        return place in self.items or late

    def write(self) -> bytes:
        items = sorted(one for one in self.items if _FEWEST <= one[1] <= _MOST)
        payloads = sorted(one for one in self.payloads if len(one) == _EID)
        at = (self.at - _EPOCH) // _TICK
        parts = [_HEAD.pack(at, len(payloads), len(items)), *payloads]
        return b"".join([*parts, *(_ITEM.pack(*one) for one in items)])

    @classmethod
    def read(cls, raw: bytes) -> Counted:
        """What `write` wrote; anything else raises `ValueError`."""
        try:
            at, payloads, items = _HEAD.unpack_from(raw)
            start, end = _HEAD.size, _HEAD.size + payloads * _EID
            if len(raw) != end + items * _ITEM.size:
                raise ValueError("not a count")
            eids = frozenset(raw[one : one + _EID] for one in range(start, end, _EID))
            return cls(_EPOCH + at * _TICK, eids, frozenset(_ITEM.iter_unpack(raw[end:])))
        except (struct.error, OverflowError):
            raise ValueError("not a count") from None
