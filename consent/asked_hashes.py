"""Hashes that a statement made once asks for: a lone one, any number, or with SQLite one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Integer, and_, any_, bindparam

from storage.types import HASHES, among_numbers, numbers

_MOST: Final = 128  # of one statement, with SQLite
_LONE: Final = 1
_NONE: Final = (0, b"")  # found nowhere: keys are numbered from one

# No more rows than that are ours: one for each hash, under the key that made it.
MOST: Final = bindparam("most", type_=Integer())


class Asked(NamedTuple):
    """What a statement is given, and of which kind it is: see `among_asked`."""

    places: int | None
    given: dict[str, Any]


@cache
def among_asked(column: Column[bytes], kid: Column[int], places: int | None) -> ColumnElement[bool]:
    """Whether *column* is among the hashes that the statement is given, and *kid* one of ours.

    Under one hash somebody may plant rows of as many keys as there are numbers. A lone hash is
    no array of one, which costs PostgreSQL's driver several looks at what is in it.
    """
    if places == _LONE:
        return and_(column == bindparam("hash", type_=column.type), kid == bindparam("kid"))
    ours = among_numbers(kid, numbers("kids"))
    if places is None:
        return and_(column == any_(bindparam("hashes", type_=HASHES)), ours)
    hashes = [bindparam(f"hash_{n}", type_=column.type) for n in range(places)]
    return and_(column.in_(hashes), ours)


def asked(dialect: str, hashes: Collection[tuple[int, bytes]]) -> Iterator[Asked]:
    """What statements of few kinds are given, so that all *hashes* are asked for; at least one.

    Each with the number of its key. SQLite takes no array of bytes. A statement has a power of two
    of places, or there would be one for each number; what is left of them asks for one of the
    hashes again.
    """
    if len(hashes) <= _LONE:
        ((kid, one),) = hashes or [_NONE]
        yield Asked(_LONE, {"hash": one, "kid": kid, "most": 1})
        return
    kids = sorted({kid for kid, _ in hashes})
    these = [*{one for _, one in hashes}]
    if dialect == "postgresql":
        yield Asked(None, {"hashes": these, "kids": kids, "most": len(hashes)})
        return
    for start in range(0, len(these), _MOST):
        some = these[start : start + _MOST]
        places = 1 << max((len(some) - 1).bit_length(), 1)
        some += some[-1:] * (places - len(some))
        given = {f"hash_{n}": one for n, one in enumerate(some)}
        yield Asked(places, given | {"kids": kids, "most": places})
