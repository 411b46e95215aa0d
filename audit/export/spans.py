"""Some entries of a log, and instead of all others the hashes that lead to the signed root.

Each entry is a line; what lies between two of them is a line with the number of entries left
out and the hashes of the full subtrees that make them up. It ends at every size whose root is
to be compared, so that who holds that checkpoint can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from sqlalchemy import select

from audit import nodes, tree
from audit.canonical import canonical, encode
from audit.errors import LogDamaged
from audit.tables import audit_entry
from audit.tree import Range
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 1024
# In the place of what cannot be read: whoever checks the export is told where.
_NOTHING = b"[]\n"


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same indexes, in order, each once."""
    found: list[Range] = []
    for one in sorted(ranges):
        if found and one.start <= found[-1].end:
            found[-1] = Range(found[-1].start, max(found[-1].end, one.end))
        elif one.start < one.end:
            found.append(one)
    return found


def runs(indexes: Iterable[int]) -> Iterator[Range]:
    """Indexes in their order, as the stretches that they make."""
    start = end = -1
    for at in indexes:
        if at != end and start >= 0:
            yield Range(start, end)
        start, end = (start if at == end else at), at + 1
    if start >= 0:
        yield Range(start, end)


def cut(span: Range, sizes: Iterable[int]) -> Iterator[Range]:
    """The parts of *span* between those *sizes*."""
    start = span.start
    for size in sorted({size for size in sizes if span.start < size < span.end}):
        yield Range(start, size)
        start = size
    yield Range(start, span.end)


async def lines(
    data: Database, base: int, size: int, chosen: Sequence[Range], sizes: Sequence[int]
) -> AsyncIterator[bytes]:
    """The first *size* entries of the log from *base* on, of which the *chosen* are written out."""
    at = 0
    for one in chosen:
        for left_out in cut(Range(at, one.start), sizes) if at < one.start else ():
            yield await _hashes(data, base, left_out)
        async for part in _entries(data, base, one):
            yield part
        at = one.end
    for left_out in cut(Range(at, size), sizes) if at < size else ():
        yield await _hashes(data, base, left_out)


async def _entries(data: Database, base: int, wanted: Range) -> AsyncIterator[bytes]:
    place = audit_entry.c.leaf_index
    for start in range(base + wanted.start, base + wanted.end, _AT_ONCE):
        end = min(start + _AT_ONCE, base + wanted.end)
        query = select(place, audit_entry.c.entry).where(place >= start, place < end)
        query = query.where(sound(audit_entry)).order_by(place)
        async with data.read() as connection:
            there = {at: raw for at, raw in await connection.execute(query)}
        yield b"".join(_line(there.get(at)) for at in range(start, end))


def _line(entry: bytes | None) -> bytes:
    if entry is None:
        return _NOTHING
    # An altered one may be any bytes, and must not become two.
    return entry.replace(b"\n", b"\\n") + b"\n"


async def _hashes(data: Database, base: int, span: Range) -> bytes:
    pieces = [Range(at << level, (at + 1) << level) for level, at in tree.subtrees(span)]
    try:
        async with data.read() as connection:
            roots = await nodes.range_roots(connection, pieces, base)
    except LogDamaged:
        return _NOTHING
    return canonical([span.end - span.start, *map(encode, roots)]) + b"\n"
