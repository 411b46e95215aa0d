"""The Merkle tree of RFC 9162, section 2.1: roots and proofs, without storage.

A proof is a list of subtree hashes. Which subtrees it needs is arithmetic on
sizes alone, so the same ranges serve leaves in memory and nodes in a database.
Verification follows the RFC's own algorithms, not the generating ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256(b"").digest()
HASH_SIZE = 32

# Of the inner nodes only every eighth level is stored (256-wide, as C2SP
# tlog-tiles): one row for 256 entries, and no proof reads more than 255 of one level.
STORED_LEVELS = 8
_BLOCK = 1 << STORED_LEVELS


class Node(NamedTuple):
    """A full subtree: 2**level leaves from position * 2**level on."""

    level: int
    position: int
    hash: bytes


class Range(NamedTuple):
    """The leaves from *start* up to, not including, *end*."""

    start: int
    end: int


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash for each full subtree, largest first."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if len(packed) != size.bit_count() * HASH_SIZE:
            raise ValueError("the frontier does not fit the size")
        self.size = size
        self._hashes = [packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)]

    @property
    def packed(self) -> bytes:
        return b"".join(self._hashes)

    @property
    def root(self) -> bytes:
        return fold(self._hashes)

    def extend(self, leaves: Sequence[bytes]) -> list[Node]:
        """Add leaf hashes; return the nodes on stored levels that they completed."""
        stored: list[Node] = []
        start = 0
        while start < len(leaves):
            end = min(len(leaves), start + _BLOCK - self.size % _BLOCK)
            if end - start == _BLOCK:
                self._push(full(leaves[start:end]), STORED_LEVELS, stored)
            else:
                for leaf in leaves[start:end]:
                    self._push(leaf, 0, stored)
            start = end
        return stored

    def _push(self, node: bytes, level: int, stored: list[Node]) -> None:
        position = self.size >> level
        self.size += 1 << level
        while True:
            if level and level % STORED_LEVELS == 0:
                stored.append(Node(level, position, node))
            if not position & 1:
                break
            node = node_hash(self._hashes.pop(), node)
            position >>= 1
            level += 1
        self._hashes.append(node)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes that are all at hand."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root


def fold(hashes: Sequence[bytes]) -> bytes:
    """Join neighbouring full subtrees, largest first, into the root over all their leaves."""
    if not hashes:
        return EMPTY_ROOT
    *rest, root = hashes
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def subtrees(span: Range) -> Iterator[tuple[int, int]]:
    """Level and position of the full subtrees that make up *span*, from the left."""
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees that prove leaf *index* in a tree of *size*, leaf's neighbour first."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    start, end = 0, size
    ranges = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            ranges.append(Range(middle, end))
            end = middle
        else:
            ranges.append(Range(start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The subtrees that prove the tree of size *old* to be the beginning of that of *new*."""
    if not 0 <= old <= new:
        raise ValueError("a tree does not shrink")
    if old == 0:
        return []  # everything begins with nothing
    start, end = 0, new
    ranges = []
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            ranges.append(Range(middle, end))
            end = middle
        else:
            ranges.append(Range(start, middle))
            start = middle
    if start:
        ranges.append(Range(start, end))
    return ranges[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Prove the leaf hash at *index* among *leaves* (RFC 9162, 2.1.3.1)."""
    return [root_of(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Prove that *leaves* continue their first *old* (RFC 9162, 2.1.4.1)."""
    return [root_of(leaves[start:end]) for start, end in consistency_ranges(old, len(leaves))]


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> bool:
    """Say whether *path* proves the leaf hash at *index* (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Say whether *path* proves that the new tree continues the old (RFC 9162, 2.1.4.2).

    An empty old tree is continued by every tree; that proves nothing about the new one.
    """
    if not 0 <= old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if old & (old - 1) == 0:
        path = [old_root, *path]  # the old tree is itself a full subtree
    return bool(path) and _both_roots(old - 1, new - 1, path) == (old_root, new_root)


def _both_roots(at: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return (first, second) if last == 0 else None


def full(hashes: Iterable[bytes]) -> bytes:
    """The root of a full subtree, level by level: several times faster than one by one."""
    level = list(hashes)
    while len(level) > 1:
        pairs = iter(level)
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905 the length is a power of two
    return level[0]


def _split(start: int, end: int) -> int:
    """Where the left subtree ends: the largest power of two below the number of leaves."""
    return start + (1 << (end - start - 1).bit_length() - 1)
