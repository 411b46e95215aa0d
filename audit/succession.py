"""A log and its successors: which entry is whose. Pure.

A log behind its guard is closed, never regrown: another tree of a size that was published
would be a fork. Its successor begins at nothing, under a name of its own (origin and `/2`,
`/3`, …). In the tables the entries of all of them share one row of *places*, each log from
its own on, so that whoever goes through events by their place meets all of them in order.
"""

from __future__ import annotations

STRIDE = 1 << 44  # places of one log: more entries than any has; all nodes of a tree stay aligned
_BITS = STRIDE.bit_length() - 1
_MOST = (1 << 53) // STRIDE  # logs: a place has at most 53 bits


def name_of(first: str, generation: int) -> str:
    """The origin of a log, counted from 1, the *first*."""
    return first if generation == 1 else f"{first}/{generation}"


def generation_named(first: str, name: str) -> int | None:
    """The log of that name; None where it is no successor of *first*."""
    number = name.removeprefix(f"{first}/")
    if name == first:
        return 1
    known = number != name and number.isascii() and number.isdigit() and len(number) <= 3
    fits = known and 1 < int(number) <= _MOST and name == name_of(first, int(number))
    return int(number) if fits else None


def base_of(generation: int) -> int:
    """The place of a log's first entry."""
    return (generation - 1) * STRIDE


def generation_of(place: int) -> int:
    """Whose the entry at *place* is."""
    return (place >> _BITS) + 1


def index_of(place: int) -> int:
    """The index that the entry at *place* has in its own log."""
    return place & (STRIDE - 1)
