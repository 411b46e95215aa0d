"""The log as one file that anybody can check with the public key alone.

JSON lines: a header, one line for each entry, and last the checkpoint that
covers exactly these entries. There is no personal data in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import select

from audit import published
from audit.canonical import canonical
from audit.check import KINDS, grow, hold, signed, skim
from audit.checkpoints import Checkpoint, Verifier
from audit.entry import GRAMMAR
from audit.kinds import Kind
from audit.log import Log
from audit.report import Findings, Problem, Report
from audit.tables import audit_entry
from audit.times import Times
from audit.tree import Frontier, leaf_hash
from storage.database import Database
from storage.sound import sound

FORMAT = "consentgw/audit/jsonl/v1"
_CHUNK = 1024

# A line as `jsonl` writes it. An entry holds no character that JSON would escape but the
# quotation mark, so what matches needs neither JSON's parser nor another look.
_ENTRY_LINE = re.compile(
    rb'\{"entry":"(?P<entry>'
    + GRAMMAR.pattern.replace(b'"', rb'\\"')
    + rb')","index":(?P<index>[0-9]+)\}\n'
)

_Line = tuple[bytes, bytes, bytes | Kind]  # an entry, its moment, its kind


async def jsonl(data: Database, log: Log, vkey: str) -> AsyncIterator[bytes]:
    """Write everything that was published, in parts of many lines.

    Before the first checkpoint that is a header alone. No transaction stays
    open while the reader is slow; entries beyond the checkpoint are left out, and
    so are rows that cannot be read: the check of the export then names the first.
    """
    async with data.read() as connection:
        newest = await published.newest(connection, Verifier(vkey))
    size = newest.checkpoint.size if newest else 0
    yield _line({"format": FORMAT, "origin": log.origin, "size": size, "vkey": vkey})
    index = audit_entry.c.leaf_index
    for start in range(0, size, _CHUNK):
        query = select(index, audit_entry.c.entry).where(
            index >= start, index < min(start + _CHUNK, size), sound(audit_entry)
        )
        async with data.read() as connection:
            rows = (await connection.execute(query.order_by(index))).all()
        yield b"".join(_entry_line(at, entry) for at, entry in rows)
    if newest:
        yield _line({"checkpoint": newest.note})


def check_jsonl(lines: Iterable[bytes], vkey: str, held: Iterable[str] = ()) -> Report:
    """Verify an export without any database, line by line.

    *vkey* comes from whoever checks, never from the file. *held* are checkpoint
    notes that they kept from earlier: the export must continue them.
    """
    findings = Findings()
    verifier = Verifier(vkey)
    claims, level = hold(verifier, held, findings)
    reader = _Reader(lines, findings, Times(findings))
    frontier = Frontier()
    for leaves in reader.leaves():
        grow(frontier, leaves, claims, findings)
    covered = 0
    if reader.note is not None:
        claim = signed(verifier, reader.note, "exported", None, findings)
        if claim is not None:
            covered = claim.checkpoint.size
            _compare(claim.checkpoint, frontier, findings)
    if not reader.broken and max(covered, *claims, 0) > frontier.size:
        text = f"a checkpoint covers {max(covered, *claims, 0)} entries, the export {frontier.size}"
        findings.cut_off(frontier.size, text)
    return findings.report(frontier.size, level)


def _compare(checkpoint: Checkpoint, frontier: Frontier, findings: Findings) -> None:
    if checkpoint.size < frontier.size:
        text = f"the checkpoint covers {checkpoint.size} entries only"
        findings.add(Problem.EXTRA, checkpoint.size, text)
    elif checkpoint.size == frontier.size and checkpoint.root != frontier.root:
        findings.add(Problem.CHECKPOINT, None, "the entries do not give the checkpoint")


class _Reader:
    """Reads lines up to the first that is wrong: nothing behind that one can be proved."""

    def __init__(self, lines: Iterable[bytes], findings: Findings, times: Times) -> None:
        self._lines = iter(lines)
        self._findings = findings
        self._times = times
        self._next = 0
        self.note: str | None = None  # the last line, once `leaves` is exhausted
        self.broken = False

    def leaves(self) -> Iterator[list[bytes]]:
        """The leaf hashes of the entries, in parts."""
        if _object(next(self._lines, b"")).get("format") != FORMAT:
            self._stop(Problem.ALTERED, None, "not an export of this format")
            return
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
        if next(self._lines, None) is not None and not self.broken:
            self._stop(Problem.EXTRA, None, "lines behind the checkpoint")

    def _entry(self, line: bytes) -> bytes | None:
        read = _quick(line, self._next) or self._as_json(line)
        if read is None:
            return None
        raw, at, kind = read
        self._times.take(self._next, at, kind)
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
