"""The checks of a verification that need no database: rows in, findings out.

Leaves are recomputed from the bytes of the entries, never taken from what is
stored, and the tree is built anew beside them.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from audit import succession
from audit.checkpoints import Checkpoint, Verifier
from audit.entry import GRAMMAR
from audit.errors import NoteError
from audit.gaps import Gap
from audit.kinds import Kind
from audit.report import Findings, Level, Problem
from audit.rowmac import RowMacs
from audit.times import Times
from audit.tree import Frontier, Node

_HELD = "held"  # by whoever checks, out of the gateway's reach
KINDS = {kind.value.encode(): kind for kind in Kind}


class EntryRow(NamedTuple):
    """A row of the log as it is stored."""

    leaf_index: int
    eid: bytes
    kind: str
    at: str
    entry: bytes
    leaf_hash: bytes
    mac: bytes
    kid: int


class Commitments(NamedTuple):
    """What an entry commits to besides itself."""

    leaf_index: int
    eid: bytes
    kind: Kind
    payloads: bytes | None  # the object of compartments, as the entry writes it
    items: int  # how many; none but in batch events
    root: bytes | None


class Claim(NamedTuple):
    """A checkpoint to be compared with the entries, and who holds it."""

    checkpoint: Checkpoint
    holder: str


class Walk:
    """One pass over a log in the order of its indexes; *base* is the place of its first entry.

    *frontier* is the tree over what comes before those that are taken first.
    """

    def __init__(
        self, findings: Findings, macs: RowMacs, base: int = 0, frontier: Frontier | None = None
    ) -> None:
        self.next = frontier.size if frontier else 0  # the index that comes next
        self._base = base
        self._findings = findings
        self._macs = macs
        self._times = Times(findings, succession.generation_of(base))
        self._frontier: Frontier | None = (
            frontier or Frontier()
        )  # None after a hole: no root can be given
        self._hole: int | None = None

    @property
    def frontier(self) -> Frontier | None:
        """The tree over everything so far; None when an entry was missing."""
        return self._frontier

    def follow(self, entry: bytes) -> None:
        """Time goes on from this entry, which was checked before and comes directly before."""
        if (found := skim(entry)) is not None:
            self._times.take(self.next - 1, found[1]["at"], found[0])

    def take(
        self, rows: Iterable[EntryRow], end: int, claims: Mapping[int, Sequence[Claim]]
    ) -> tuple[list[Commitments], list[Node]]:
        """Check the rows up to index *end* and compare the roots at the sizes in *claims*.

        Returns what the entries commit to, and the stored nodes that they give.
        """
        leaves: list[bytes] = []
        commitments: list[Commitments] = []
        for row in rows:
            index = row.leaf_index - self._base
            if index != self.next:
                self._jump(index)
            elif self._hole is not None:
                self._close_hole()
            leaves.append(sha256(b"\x00" + row.entry).digest())
            self._check_row(row, index, leaves[-1], commitments)
            self.next += 1
        if self.next < end:
            self._hole = self.next if self._hole is None else self._hole
            self._frontier = None
            self.next = end
        return commitments, self._grow(leaves, claims)

    def finish(self) -> None:
        """Say that there are no more rows."""
        if self._hole is not None:
            text = f"the entries from {self._hole} on are missing"
            self._findings.cut_off(self._hole, text)

    def _jump(self, index: int) -> None:
        if index < self.next:
            self._findings.add(Problem.DUPLICATE, index, "two rows for one index")
        else:
            self._hole = self.next if self._hole is None else self._hole
            self.next = index
            self._close_hole()
        self._frontier = None
        self.next = index

    def _close_hole(self) -> None:
        if self._hole is not None:
            text = f"entries {self._hole} to {self.next - 1} are missing"
            self._findings.add(Problem.MISSING, self._hole, text)
            self._hole = None

    def _check_row(
        self, row: EntryRow, index: int, leaf: bytes, commitments: list[Commitments]
    ) -> None:
        if not self._macs.logged(row):
            self._findings.add(Problem.ALTERED, index, "no gateway wrote this here")
            return  # nothing in it means anything
        if row.leaf_hash != leaf:
            self._findings.add(Problem.COLUMNS, index, "the stored leaf hash is another")
        entry = skim(row.entry)
        if entry is None:
            self._findings.add(Problem.ALTERED, index, "not an entry")
            return
        kind, found = entry
        eid, at, payloads, count, root = found.group("eid", "at", "commitments", "count", "root")
        eid = a2b_base64(eid)
        self._times.take(index, at, kind)
        if row.eid != eid or row.kind != kind or row.at != at.decode():
            self._findings.add(Problem.COLUMNS, index, "id, kind or moment is another")
        if count:
            batch = Commitments(index, eid, kind, payloads, int(count), a2b_base64(root))
            commitments.append(batch)
        elif payloads:
            commitments.append(Commitments(index, eid, kind, payloads, 0, None))

    def _grow(self, leaves: Sequence[bytes], claims: Mapping[int, Sequence[Claim]]) -> list[Node]:
        if self._frontier is None:
            return []
        return grow(self._frontier, leaves, claims, self._findings)


def skim(entry: bytes) -> tuple[Kind, re.Match[bytes]] | None:
    """Read as much of an entry as a verification needs; None for what is no entry."""
    found = GRAMMAR.fullmatch(entry)
    kind = KINDS.get(found["kind"]) if found else None
    return None if found is None or kind is None else (kind, found)


def grow(
    frontier: Frontier,
    leaves: Sequence[bytes],
    claims: Mapping[int, Sequence[Claim]],
    findings: Findings,
) -> list[Node]:
    """Add leaf hashes to a tree and compare its roots with the *claims* of the sizes passed."""
    start = frontier.size
    nodes: list[Node] = []
    for size in sorted(size for size in claims if start < size <= start + len(leaves)):
        nodes += frontier.extend(leaves[frontier.size - start : size - start])
        compare(size, frontier.root, claims[size], findings)
    return nodes + frontier.extend(leaves[frontier.size - start :])


def compare(size: int, root: bytes, claims: Iterable[Claim], findings: Findings) -> None:
    """Compare what the entries give for a size with what is claimed of it."""
    for checkpoint, holder in claims:
        if checkpoint.root != root:
            text = f"the entries do not give the {holder} checkpoint of size {size}"
            findings.add(Problem.CHECKPOINT, None, text)


def hold(verifier: Verifier, held: Iterable[str], findings: Findings) -> dict[int, list[Claim]]:
    """Read the checkpoints that were kept outside."""
    claims: dict[int, list[Claim]] = {}
    for note in held:
        claim = signed(verifier, note, _HELD, None, findings)
        if claim is not None:
            claims.setdefault(claim.checkpoint.size, []).append(claim)
    return claims


def level_of(claims: Mapping[int, Sequence[Claim]], size: int) -> Level:
    """What checkpoints kept outside lift *size* entries to; who was compared with none, nothing."""
    compared = [one for at in claims if 0 < at <= size for one in claims[at]]
    outside = any(one.holder == _HELD for one in compared)
    return Level.HELD_OUTSIDE if outside else Level.SIGNED


def beyond(
    claims: Mapping[int, Sequence[Claim]], size: int, gap: Gap | None, findings: Findings
) -> list[str]:
    """Compare checkpoints of what was lost behind *size* entries; says of each that was kept.

    No entry bears them out, but two roots of one size are two histories, whatever is left.
    """
    told, said = None if gap is None else gap.guard, []
    for at in sorted(at for at in claims if at > size):
        stood = told is not None and told.size == at
        roots = {one.checkpoint.root for one in claims[at]}
        if told is not None and stood:
            roots.add(told.root)
        if len(roots) > 1:
            text = f"two roots of size {at} were signed: there were two histories"
            findings.add(Problem.CHECKPOINT, None, text)
        with_what = "the guard's alone" if stood else "nothing"
        text = f"your checkpoint of size {at} covers lost entries: it was compared with {with_what}"
        said += [text for one in claims[at] if one.holder == _HELD]
    return said


def split(first: str, newest: int, held: Iterable[str]) -> dict[int, list[str]]:
    """Which of the logs each note that was kept outside is about, by its first line.

    What names none of them is the first one's, which did not sign it; what names one
    that is not there yet, the newest one's.
    """
    found: dict[int, list[str]] = {}
    for note in held:
        named = succession.generation_named(first, note.split("\n", 1)[0]) or 1
        found.setdefault(min(named, newest), []).append(note)
    return found


def signed(
    verifier: Verifier, note: str, holder: str, size: int | None, findings: Findings
) -> Claim | None:
    """Read a checkpoint that stands where one of *size* should (None: of any)."""
    problem = Problem.GUARD if holder == "guard" else Problem.CHECKPOINT
    where = f"the {holder} checkpoint" + ("" if size is None else f" of size {size}")
    try:
        checkpoint = verifier.checkpoint(note)
    except NoteError as error:
        findings.add(problem, None, f"{where}: {error}")
        return None
    if size is not None and checkpoint.size != size:
        findings.add(problem, None, f"{where} is one of size {checkpoint.size}")
        return None
    return Claim(checkpoint, holder)
