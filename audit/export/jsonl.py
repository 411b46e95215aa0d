"""The log as one file that anybody can check with the public key alone.

JSON lines: a header, one line for each entry, and last the checkpoint that
covers exactly these entries. There is no personal data in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from audit import checkpoints, gaps, succession
from audit.canonical import canonical
from audit.check import KINDS, Claim, beyond, grow, hold, level_of, signed, skim
from audit.checkpoints import Checkpoint, Verifier
from audit.entry import GRAMMAR, parse
from audit.errors import EntryError, NoteError
from audit.export.excerpt import FORMAT as EXCERPT
from audit.export.selection import Passed, parts_of, unseen
from audit.gaps import Gap
from audit.handovers import follow
from audit.kinds import Kind
from audit.log import Log
from audit.report import Findings, Level, Problem, Report
from audit.tables import audit_entry
from audit.times import Times
from audit.tree import Frontier, leaf_hash
from storage.database import Database
from storage.sound import sound

FORMAT = "consentgw/audit/jsonl/v1"
_CHUNK = 1024
_OLDER = "if it was exported before that, ask for a newer export"
_UNPROVEN = "lines of some entries prove nothing: a bundle of the same ones does"

# A line as `jsonl` writes it. An entry holds no character that JSON would escape but the
# quotation mark, so what matches needs neither JSON's parser nor another look.
_ENTRY_LINE = re.compile(
    rb'\{"entry":"(?P<entry>'
    + GRAMMAR.pattern.replace(b'"', rb'\\"')
    + rb')","index":(?P<index>[0-9]+)\}\n'
)

_WORDS = (Kind.LOG_OPENED, Kind.LOG_CLOSED, b"log.opened", b"log.closed")

_ROTATED = (Kind.KEY_ROTATED, b"key.rotated")

_Line = tuple[bytes, bytes, bytes | Kind]  # an entry, its moment, its kind


async def jsonl(
    data: Database,
    log: Log,
    verifier: Verifier,
    up_to: int | None = None,
    passed: Passed = unseen,
) -> AsyncIterator[bytes]:
    """Write everything that was published, in parts of many lines; *up_to* as in `parts_of`.

    Before the first checkpoint that is a header alone. No transaction stays
    open while the reader is slow; entries beyond the checkpoint are left out, and
    so are rows that cannot be read: the check of the export then names the first.
    A log that was closed comes before its successor, each with header and checkpoint.
    """
    parts = await parts_of(data, log, verifier, up_to)
    for part in parts:
        yield _header(verifier.of(part.generation), part.size)
        async for piece in _entries(data, part.base, part.size):
            passed(piece.count(b"\n"))
            yield piece
        yield _line({"checkpoint": part.newest.note})
    if not parts:
        yield _header(verifier, 0)


def _header(own: Verifier, size: int) -> bytes:
    return _line({"format": FORMAT, "origin": own.name, "size": size, "vkey": own.vkey})


async def _entries(data: Database, base: int, size: int) -> AsyncIterator[bytes]:
    place = audit_entry.c.leaf_index
    for start in range(base, base + size, _CHUNK):
        query = select(place, audit_entry.c.entry).where(
            place >= start, place < min(start + _CHUNK, base + size), sound(audit_entry)
        )
        async with data.read() as connection:
            rows = (await connection.execute(query.order_by(place))).all()
        yield b"".join(_entry_line(at - base, entry) for at, entry in rows)


def check_jsonl(lines: Iterable[bytes], verifier: Verifier, held: Iterable[str] = ()) -> Report:
    """Verify an export without any database, line by line.

    *verifier* is the first log's, and comes from whoever checks, never from the file; keys that
    the log signed in are followed. *held* are checkpoint notes that they kept from earlier: the
    export must continue them.
    """
    checks = _Checks(verifier.afresh(), list(held))
    rest = iter(lines)
    header = next(rest, b"")
    while header:
        header = checks.section(header, rest)
    return checks.report()


@dataclass
class _Checks:
    """The logs of one export: what was found in each, and what successors tell of those before."""

    verifier: Verifier
    held: list[str]
    findings: Findings = field(default_factory=Findings)
    seen: dict[int, Frontier] = field(default_factory=dict)
    lost: dict[int, Gap] = field(default_factory=dict)
    largest: dict[int, int] = field(default_factory=dict)  # of what was signed
    claims: dict[int, dict[int, list[Claim]]] = field(default_factory=dict)  # kept outside
    notes: dict[int, str] = field(default_factory=dict)  # the checkpoints of the logs

    def section(self, header: bytes, rest: Iterator[bytes]) -> bytes:
        """Check one log; returns the header of the next, nothing at the end."""
        read = _object(header)
        named = succession.generation_named(self.verifier.name, str(read.get("origin"))) or 1
        if read.get("format") == EXCERPT:
            self.findings.add(Problem.ALTERED, None, _UNPROVEN)
            return b""
        if read.get("format") != FORMAT or named in self.seen or named < max(self.seen, default=0):
            self.findings.add(Problem.ALTERED, None, "not an export of this format")
            return b""
        own = self.verifier.of(named)
        held = [one for one in self.held if self._about(one) == named]
        self.held = [note for note in self.held if note not in held]
        claims = self.claims[named] = hold(own, held, self.findings)
        reader = _Reader(rest, self.findings, Times(self.findings, named), named)
        frontier = self.seen[named] = Frontier()
        for leaves in reader.leaves():
            grow(frontier, leaves, claims, self.findings)
        for place, refs in reader.rotated:
            with suppress(NoteError):
                follow(self.verifier, refs, place)
        covered = self._covered(named, reader.note, frontier)
        if not reader.broken:
            self.largest[named] = max(covered, *claims, 0)
        for refs in reader.words:
            with suppress(NoteError):
                gap = gaps.read(refs, self.verifier)
                if gap.generation < named:  # none says of itself what it lost
                    self.lost[gap.generation] = gap
        return reader.behind

    def _about(self, note: str) -> int:
        return succession.generation_named(self.verifier.name, note.split("\n", 1)[0]) or 1

    def _covered(self, generation: int, note: str | None, frontier: Frontier) -> int:
        own = self.verifier.of(generation)
        claim = None if note is None else signed(own, note, "exported", None, self.findings)
        if claim is None:
            return 0
        _compare(claim.checkpoint, frontier, self.findings)
        self.notes[generation] = str(note)
        return claim.checkpoint.size

    def report(self) -> Report:
        if not self.seen and not self.findings.total:
            self.findings.add(Problem.ALTERED, None, "not an export of this format")
        for note in self.held:  # of logs that are not in it
            about = self._about(note)
            claims = hold(self.verifier.of(about), [note], self.findings)
            self.largest[about] = max([self.largest.get(about, 0), *claims])
            for size, some in claims.items():
                self.claims.setdefault(about, {}).setdefault(size, []).extend(some)
        for generation, size in self.largest.items():
            there, gap = self.seen.get(generation, Frontier()).size, self.lost.get(generation)
            if size > max(there, 0 if gap is None else gap.end):
                text = f"a checkpoint covers {size} entries, the export {there}; {_OLDER}"
                self.findings.cut_off(there, text)
        for generation in range(1, max(self.seen, default=1)):
            self._compare_with_successor(generation)
        level, kept = self._kept()
        size = sum(frontier.size for frontier in self.seen.values())
        names = {one: succession.name_of(self.verifier.name, one) for one in self.lost}
        said = [gap.says(names[one]) for one, gap in sorted(self.lost.items())]
        return self.findings.report(size, level, (*said, *kept, *self._by_an_older_key()))

    def _by_an_older_key(self) -> Iterator[str]:
        """Whether the newest checkpoint says who could have made it at any time since."""
        if self.notes:
            generation, note = max(self.notes.items())
            own = self.verifier.of(generation)
            if checkpoints.vkey_of(own.name, own.signer(note)) != own.vkey:
                yield f"whoever ever held an older key of {self.verifier.name} may have made this"

    def _kept(self) -> tuple[Level, list[str]]:
        """What the checkpoints kept outside lift it to, and which of them nothing bears out."""
        level, said = Level.SIGNED, []
        for generation, claims in sorted(self.claims.items()):
            there = self.seen.get(generation, Frontier()).size
            said += beyond(claims, there, self.lost.get(generation), self.findings)
            if level_of(claims, there) is not Level.SIGNED:
                level = Level.HELD_OUTSIDE
        return level, said

    def _compare_with_successor(self, generation: int) -> None:
        gap, there = self.lost.get(generation), self.seen.get(generation, Frontier())
        if gap is None:
            text = f"nothing tells where log {generation} was closed"
            self.findings.add(Problem.STATE, None, text)
        elif (gap.size, gap.root) != (there.size, there.root):
            text = f"log {generation} was closed at {gap.size}, {there.size} entries are there"
            self.findings.cut_off(min(gap.size, there.size), text)


def _compare(checkpoint: Checkpoint, frontier: Frontier, findings: Findings) -> None:
    if checkpoint.size < frontier.size:
        text = f"the checkpoint covers {checkpoint.size} entries only"
        findings.add(Problem.EXTRA, checkpoint.size, text)
    elif checkpoint.size == frontier.size and checkpoint.root != frontier.root:
        findings.add(Problem.CHECKPOINT, None, "the entries do not give the checkpoint")


class _Reader:
    """Reads the lines of one log up to the first that is wrong: none behind it can be proved."""

    def __init__(
        self, lines: Iterator[bytes], findings: Findings, times: Times, generation: int
    ) -> None:
        self._lines = lines
        self._findings = findings
        self._times = times
        self._words = range(0 if generation == 1 else generation)  # indexes of what tells of gaps
        self._next = 0
        self._base = succession.base_of(generation)
        self.words: list[Mapping[str, str]] = []
        self.rotated: list[tuple[int, Mapping[str, str]]] = []  # by the place that tells of it
        self.note: str | None = None  # the last line, once `leaves` is exhausted
        self.behind = b""  # the header of the next log
        self.broken = False

    def leaves(self) -> Iterator[list[bytes]]:
        """The leaf hashes of the entries, in parts."""
        part: list[bytes] = []
        for line in self._lines:
            raw = self._entry(line)
            if raw is None:
                break
            part.append(leaf_hash(raw))
            if len(part) == _CHUNK:
                yield part
                part = []
        yield part
        if self.note is None and not self.broken:
            self._findings.add(Problem.CHECKPOINT, None, "the export ends without a checkpoint")
        if not self.broken:
            self._end(next(self._lines, b""))

    def _end(self, line: bytes) -> None:
        if line and _object(line).get("format") != FORMAT:
            self._stop(Problem.EXTRA, None, "lines behind the checkpoint")
        else:
            self.behind = line

    def _entry(self, line: bytes) -> bytes | None:
        read = _quick(line, self._next) or self._as_json(line)
        if read is None:
            return None
        raw, at, kind = read
        self._times.take(self._next, at, kind)
        try:
            if self._next in self._words and kind in _WORDS:
                self.words.append(parse(raw).refs)
            if kind in _ROTATED:
                self.rotated.append((self._base + self._next, parse(raw).refs))
        except EntryError:  # which says something twice: each reader takes another
            self._stop(Problem.ALTERED, self._next, "not an entry")
            return None
        self._next += 1
        return raw

    def _as_json(self, line: bytes) -> _Line | None:
        read = _object(line)
        if isinstance(read.get("checkpoint"), str):
            self.note = read["checkpoint"]
            return None
        if read.get("index") != self._next:
            self._stop(Problem.MISSING, self._next, "another line stands in its place")
            return None
        raw = str(read.get("entry")).encode(errors="replace")
        if (entry := skim(raw)) is None:
            self._stop(Problem.ALTERED, self._next, "not an entry")
            return None
        return raw, entry[1]["at"], entry[0]

    def _stop(self, problem: Problem, index: int | None, text: str) -> None:
        self.broken = True
        self._findings.add(problem, index, text)


def _quick(line: bytes, index: int) -> _Line | None:
    """What is in a line as `jsonl` writes it; None: read it as JSON."""
    found = _ENTRY_LINE.fullmatch(line)
    if found is None or found["kind"] not in KINDS or found["index"] != b"%d" % index:
        return None
    return found["entry"].replace(b'\\"', b'"'), found["at"], found["kind"]


def _object(line: bytes) -> Mapping[str, Any]:
    """What a line says; nothing, where it is no JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _entry_line(index: int, entry: bytes) -> bytes:
    # An altered entry may be any bytes; the export must say so rather than fail.
    return _line({"entry": entry.decode(errors="backslashreplace"), "index": index})


def _line(value: Mapping[str, Any]) -> bytes:
    return canonical(value) + b"\n"
