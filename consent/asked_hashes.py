"""Hashes that a statement made once asks for: one value with PostgreSQL, one by one with SQLite."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, any_, bindparam

from storage.types import HASHES

_MOST: Final = 128  # of one statement, with SQLite


class Asked(NamedTuple):
    """What a statement is given, and of which kind it is: see `among_asked`."""

    places: int | None
    given: dict[str, Any]


@cache
def among_asked(column: Column[bytes], places: int | None) -> ColumnElement[bool]:
    """Whether *column* is among the hashes that the statement is given."""
    if places is None:
        return column == any_(bindparam("hashes", type_=HASHES))
    return column.in_([bindparam(f"hash_{n}", type_=column.type) for n in range(places)])


def asked(dialect: str, hashes: Collection[bytes]) -> Iterator[Asked]:
    """What statements of few kinds are given, so that all *hashes* are asked for; at least one.

    SQLite takes no array of bytes. A statement has a power of two of places, or there would be
    one for each number; what is left of them asks for one of the hashes again.
    """
    these = [*hashes]
    if dialect == "postgresql":
        yield Asked(None, {"hashes": these})
        return
    for start in range(0, max(len(these), 1), _MOST):
        some = these[start : start + _MOST] or [b""]
        places = 1 << (len(some) - 1).bit_length()
        some += some[-1:] * (places - len(some))
        yield Asked(places, {f"hash_{n}": one for n, one in enumerate(some)})
