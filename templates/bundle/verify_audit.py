#!/usr/bin/env python3
"""Check an export of a consent gateway's audit log, trusting your own keys and nothing else.

    python verify_audit.py BUNDLE.zip --keys KEYS.txt [--checkpoint FILE]... [--witnesses K]
        [--json]

KEYS.txt has a C2SP key on each line (name+id+base64): the log's, as its operator published it,
and those of witnesses that you know. FILE is a checkpoint that you kept, or the mail that brought
it. With K so many of your witnesses must have signed one checkpoint of the log; without it the
export counts as witnessed where all of them did. Exits 0 and says what the export proves, and
who would have to have conspired; or 1, and names the first fault.

Needs Python 3.11 and `cryptography`, no network. docs/formats/bundle.md defines each byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import quopri
import re
import struct
import sys
import zipfile
import zlib
from binascii import a2b_base64, b2a_base64
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENTRY = re.compile(
    rb'\{"ac":"(?P<actor>[a-z]+)"'
    rb'(?:,"bt":\{"n":(?P<count>[1-9][0-9]{0,9}),"root":"(?P<root>[A-Za-z0-9+/]{43}=)"\})?'
    rb'(?:,"cm":(?P<commitments>\{"[a-z]+":"[A-Za-z0-9+/]{43}="'
    rb'(?:,"[a-z]+":"[A-Za-z0-9+/]{43}=")*\}))?'
    rb',"id":"(?P<eid>[A-Za-z0-9+/]{22}==)"'
    rb',"k":"(?P<kind>[a-z_.]+)"'
    rb',"nd":"(?P<node>[A-Za-z0-9:._/+-]{1,64})"'
    rb'(?:,"rf":(?P<refs>\{"[a-z_]+":"[A-Za-z0-9:._/+=-]{1,128}"'
    rb'(?:,"[a-z_]+":"[A-Za-z0-9:._/+=-]{1,128}")*\}))?'
    rb',"t":"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)"'
    rb',"v":1\}'
)
VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")
SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<raw>[A-Za-z0-9+/]+={0,2})")
LISTED = re.compile(r"(?P<size>0|[1-9][0-9]{0,12}) (?P<hash>[0-9a-f]{64}) (?P<path>[\w./-]{1,100})")
LINK = re.compile(r'"([a-z]+)":"([A-Za-z0-9+/]{43}=)"')
SCANNED = json.JSONDecoder().raw_decode
KEPT = re.compile(r"^\S{1,200}\n[0-9]{1,16}\n[A-Za-z0-9+/]{43}=\n\n(?:— \S+ \S+\n){1,64}", re.M)
BASE64 = re.compile(rb"^(?:[A-Za-z0-9+/]{1,76}={0,2}\n)+", re.M)
SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
UNTIL = re.compile(r"# from [0-9]{1,16} until (?P<until>[0-9]{1,16})")
# Whoever was given another file is told so: looking for who altered it, they would find nobody.
FILE, ASK = "the file", "ask for a bundle (gateway audit export --format bundle)"
AGAIN = "copy it once more"
LINES = b'{"format":"consentgw/audit/'
MANIFEST, FORMAT = "manifest.note", "consentgw/audit/manifest/v1"
HANDOVERS, HANDOVER, HANDING = (
    "handovers.jsonl",
    "consentgw/audit/handover/v1",
    "consentgw/handover",
)
OPENINGS, TEXTS = "openings.jsonl", "texts.jsonl"
SLOT = re.compile(r"([a-z_]+)(?: ([0-9]{1,6}) ([0-9]{1,6}))?")
CHUNK, SMALL, ENTRY_LINE, OPENING_LINE = 1 << 20, 1 << 20, 8192, 4 << 20
MAIL = 8 << 20  # characters of a mail that is made again: a specimen may ask for a value for ever
NAME = 1000  # characters; ours are far shorter, and those of people and wordings are kept
TOLERANCE = timedelta(minutes=5)  # neighbours of the log may disagree by their transactions
BEGINNINGS, STEP, ROTATED = (b"log.opened", b"log.closed"), b"clock.step", b"key.rotated"
DECIDED = {b"consent.confirmed": True, b"consent.withdrawn": False}
NAMING = {b"consent." + one for one in (b"requested", b"rejected", b"lapsed", b"expired")}
TELLING = {
    ROTATED,
    b"text.published",
    b"subject.erased",
    b"evidence.ended",
    *BEGINNINGS,
    *NAMING,
    *DECIDED,
}


class Fault(Exception):
    """The first thing that is wrong, in which file, and of which entry; nobody looked further."""

    def __init__(self, where: str, what: str, index: int | None = None) -> None:
        super().__init__(f"{where}{'' if index is None else f', entry {index}'}: {what}")
        self.where, self.what, self.index = where, what, index


def decoded(text: str, size: int | None, where: str) -> bytes:
    """Base64 in its one spelling, of *size* bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Fault(where, "is not Base64") from None
    if base64.b64encode(raw).decode() != text or size not in (None, len(raw)):
        raise Fault(where, "is not Base64 of the right length")
    return raw


def parsed(text: bytes | str, kind: type, where: str, index: int | None = None) -> Any:
    """JSON of that kind."""
    try:
        read = text if isinstance(text, str) else text.decode()
        found, end = SCANNED(read)
        if end != len(read):
            raise ValueError("blanks, which no gateway writes, or something more")
    except (ValueError, RecursionError):
        raise Fault(where, "is not JSON", index) from None
    if not isinstance(found, kind):
        raise Fault(where, "is other JSON than it should be", index)
    return found


def parsed_once(text: bytes, where: str, index: int) -> dict[str, Any]:
    """What was committed to: of what stands twice in it each reader would take another."""
    found: dict[str, Any] = parsed(text, dict, where, index)
    # As gateways write it, flat, names are counted at once; all else is looked at name by name.
    if text.count(b'":') != len(found) or _spaced(text):
        try:
            json.loads(text.decode(), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise Fault(where, "says something twice", index) from None
    return found


def _spaced(text: bytes) -> bool:
    """Whether a name's colon may not follow it at once."""
    return b" :" in text or b"\t" in text or b"\r" in text or b"\n" in text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


@dataclass(frozen=True)
class Checkpoint:
    """What a log signed: how many entries, and the root of the tree over them."""

    name: str
    size: int
    root: bytes
    key: bytes  # that signed it
    times: Mapping[str, int]  # when which witness of ours cosigned it, in seconds since 1970


class Keys:
    """The verifier's own keys; whatever keys a bundle brings count for nothing."""

    def __init__(self, text: str) -> None:
        # By the log's name; of a key that was followed by another also up to which size it counts.
        self.logs: dict[str, dict[bytes, int | None]] = {}
        # Not in your file, but followed by one that is. Anybody may have such a key by now: it
        # counts for what a key of yours signed once more behind it, and signs in no other.
        self.older: set[bytes] = set()
        self.witnesses: dict[str, bytes] = {}
        until: int | None = None
        for number, line in enumerate(text.splitlines(), 1):
            if line.startswith("#"):
                found = UNTIL.fullmatch(line.strip())
                until = int(found["until"]) if found else None
            elif line.strip():
                self._add(line.strip(), until, f"line {number} of the keys")
                until = None

    def _add(self, line: str, until: int | None, where: str) -> None:
        found = VKEY.fullmatch(line)
        raw = decoded(found["key"], 33, where) if found else b"\0"
        if (
            found is None
            or raw[0] not in (1, 4)
            or _key_id(found["name"], raw).hex() != found["id"]
        ):
            raise Fault(where, "is no Ed25519 key of a log or of a witness")
        if raw[0] == 1:
            self.logs.setdefault(found["name"], {})[raw[1:]] = until
        elif self.witnesses.get(found["name"], raw[1:]) != raw[1:]:
            raise Fault(where, "is another key of a witness that has one")
        elif raw[1:] in (one for name, one in self.witnesses.items() if name != found["name"]):
            raise Fault(where, "is the key of another witness: one would count as two")
        else:
            self.witnesses[found["name"]] = raw[1:]

    def follow(self, note: bytes) -> None:
        """Trust a key that one of yours signed in; know one that yours followed, as both say."""
        text, signatures = _note(note, HANDOVERS)
        said, *raw = text[:-1].split("\n")
        if said != HANDOVER or len(raw) != 2 or [who for who, _ in signatures] != [HANDING] * 2:
            raise Fault(HANDOVERS, "has a line that lets no key follow another")
        before, key = pair = [decoded(one, 32, HANDOVERS) for one in raw]
        for one, (_, signature) in zip(pair, signatures, strict=True):
            if signature[:4] != _key_id(HANDING, b"\1" + one):
                raise Fault(HANDOVERS, "has a line that another key signed")
            _check_signature(one, signature[4:], text, HANDOVERS)
        yours = any(before in known for known in self.logs.values())
        for known in self.logs.values():
            if key in known and not yours:
                known[before] = known[key]
                self.older.add(before)
            elif key not in known and known.get(before, 0) is None and before == self.newest(known):
                known[key] = None  # one that you know to be followed signs in no more

    def newest(self, known: Mapping[bytes, int | None]) -> bytes:
        """Of the keys of a log the one that signs now: they stand in their order."""
        return next((one for one in reversed([*known]) if one not in self.older), b"")

    def opened(
        self, note: bytes, name: str, first: str, where: str
    ) -> tuple[str, bytes, dict[str, int]]:
        """The text of a note that the log *first* signed as *name*, by which key, and who
        cosigned it when."""
        if first not in self.logs:
            raise Fault(where, f"is of {first!r}, of which you gave no key")
        text, signatures = _note(note, where)
        keys = {_key_id(name, b"\1" + one): one for one in self.of(name, first)}
        signed, times = b"", {}
        for who, raw in signatures:
            if who == name and raw[:4] in keys:
                signed = keys[raw[:4]]
                _check_signature(signed, raw[4:], text, where)
            elif who in self.witnesses and raw[:4] == _key_id(who, b"\4" + self.witnesses[who]):
                times[who] = int.from_bytes(raw[4:12], "big")
                cosigned = f"cosignature/v1\ntime {times[who]}\n{text}"
                _check_signature(self.witnesses[who], raw[12:], cosigned, where)
        if not signed:
            raise Fault(where, f"is not signed by {name}")
        return text, signed, times

    def checkpoint(self, note: bytes, name: str, first: str, where: str) -> Checkpoint:
        text, key, times = self.opened(note, name, first, where)
        lines = text.split("\n")
        if len(lines) != 4 or lines[0] != name or lines[3] or not SIZE.fullmatch(lines[1]):
            raise Fault(where, f"is no checkpoint of {name}")
        until = self.of(name, first).get(key)
        if until is not None and int(lines[1]) > until:
            raise Fault(where, f"is signed by a key that counts up to {until} only")
        return Checkpoint(name, int(lines[1]), decoded(lines[2], 32, where), key, times)

    def of(self, name: str, first: str) -> Mapping[bytes, int | None]:
        """The keys of the log of that name, of *first* and its successors."""
        if name in self.logs:
            return self.logs[name]
        if name == f"{first}/export":
            return self.logs[first]
        # Of a successor those of the log before it; what ended there does not begin anew here.
        number = int(name.rpartition("/")[2])
        names = (f"{first}/{one}" for one in range(number - 1, 1, -1))
        before = next((self.logs[one] for one in names if one in self.logs), self.logs[first])
        return {key: 0 if until is not None else None for key, until in before.items()}


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]


def _check_signature(key: bytes, signature: bytes, text: str, where: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        raise Fault(where, "has a signature that is wrong") from None


def _note(note: bytes, where: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Text and signatures of a C2SP signed note."""
    said = note.decode(errors="replace")
    text, gap, lines = said.rpartition("\n\n")
    found = [SIGNATURE.fullmatch(line) for line in lines[:-1].split("\n")]
    if not gap or lines[-1:] != "\n" or "\ufffd" in said or re.search(r"[\0-\x09\x0b-\x1f]", said):
        raise Fault(where, "is no signed note")
    signatures = [(one["name"], decoded(one["raw"], None, where)) for one in found if one]
    if len(signatures) != len(found):
        raise Fault(where, "is no signed note")
    return text + "\n", signatures


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, struct.error):
        raise Fault(name, "cannot be read") from None
    except (ValueError, KeyError, IndexError, OverflowError, UnicodeError):
        raise Fault(name, "is in no such zip as a gateway writes") from None


class Bundle:
    """The files of an export: exactly those that its manifest lists, of the hash that it says."""

    def __init__(self, file: BinaryIO, keys: Keys) -> None:
        with _readable("the bundle"):
            _check_kind(file)
            _check_directory(file)
            self._zip = zipfile.ZipFile(file)
        self._infos = {one.filename: one for one in self._zip.infolist()}
        if MANIFEST not in self._infos:
            _check_names(self._infos.keys())
        self.seen: set[str] = set()
        self.files: dict[str, tuple[int, str]] = {MANIFEST: (SMALL, "")}
        note = b"".join(self.chunks(MANIFEST))
        text, _ = _note(note, MANIFEST)
        self.origin, self.made_at, *listed = _manifest(text)
        self._follow(keys)
        _, self.key, _ = keys.opened(note, f"{self.origin}/export", self.origin, MANIFEST)
        found = [LISTED.fullmatch(line) for line in listed]
        self.files = {one["path"]: (int(one["size"]), one["hash"]) for one in found if one}
        if len(self.files) != len(listed):
            raise Fault(MANIFEST, "is no manifest")
        for name in sorted(self.files.keys() - self._infos.keys()):
            raise Fault(name, "was left out: the manifest has it")
        for name in sorted(self._infos.keys() - self.files.keys() - {MANIFEST}):
            raise Fault(repr(name), "was added: the manifest does not have it")
        if len(self._infos) != len(self._zip.infolist()):
            raise Fault("the bundle", "has a file twice")

    def _follow(self, keys: Keys) -> None:
        """Learn by which keys the log's key was followed: before anything that those signed."""
        if HANDOVERS not in self._infos:
            return
        self.files[HANDOVERS] = (SMALL, "")
        lines = [one for some in self.lines(HANDOVERS, SMALL) for one in some]
        notes = [parsed(one, str, HANDOVERS).encode(errors="replace") for one in lines[:1000]]
        for note in (*notes, *reversed(notes)):
            keys.follow(note)

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file in parts, never more than the manifest allows; its hash is checked at the end."""
        if name not in self._infos or self._infos[name].compress_type not in (0, 8):
            raise Fault(name, "was left out" if name not in self._infos else "cannot be read")
        size, expected = self.files[name]
        digest, length = hashlib.sha256(), 0
        with _readable(name), self._zip.open(self._infos[name]) as file:
            while chunk := file.read(CHUNK):
                length += len(chunk)
                if length > size:
                    raise Fault(name, "is longer than the manifest says")
                digest.update(chunk)
                yield chunk
        if expected and (length, digest.hexdigest()) != (size, expected):
            raise Fault(name, "was altered: the manifest has another hash")
        self.seen.add(name)

    def lines(self, name: str, longest: int) -> Iterator[list[bytes]]:
        """The lines of a file, many at once; nothing where the manifest has no such file."""
        rest = b""
        for chunk in self.chunks(name) if name in self.files else ():
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > longest or max(map(len, whole), default=0) > longest:
                raise Fault(name, "has a line that is too long")
            yield whole
        if rest:
            raise Fault(name, "ends within a line")

    def altered(self) -> Fault | None:
        """The first file that is not as the manifest says, whatever it made untrue elsewhere."""
        for name in sorted(self.files):
            try:
                for _ in self.chunks(name):
                    pass
            except Fault as fault:
                return fault
        return None

    def whole(self, name: str) -> bytes:
        if self.files.get(name, (SMALL + 1, ""))[0] > SMALL:
            raise Fault(name, "is missing, or too large")
        return b"".join(self.chunks(name))


def _manifest(text: str) -> list[str]:
    lines = text[:-1].split("\n")
    if lines[0] != FORMAT or len(lines) < 3:
        raise Fault(MANIFEST, "is no manifest")
    return lines[1:]


def _check_kind(file: BinaryIO) -> None:
    """Say what a file is that is no zip."""
    file.seek(0)
    head = file.read(len(LINES))
    if not head:
        raise Fault(FILE, f"is empty: {AGAIN}, or {ASK}")
    if head.startswith(b"%PDF-"):
        raise Fault(FILE, f"is a PDF, which is for reading: {ASK}")
    if head == LINES:
        how = "gateway audit verify --bundle checks them"
        raise Fault(FILE, f"is an export as lines, and no zip: {how}; or {ASK}")
    if head.lstrip()[:1] in (b"{", b"["):
        raise Fault(FILE, f"is JSON, and no zip: {ASK}")
    if head[:4] not in (b"PK\3\4", b"PK\5\6"):
        raise Fault(FILE, f"is no zip: {ASK}")


def _check_names(names: Collection[str]) -> None:
    """Say what a zip is that is no bundle; one without its list alone is a bundle no more."""
    if "xl/workbook.xml" in names:
        raise Fault(FILE, f"is a workbook, which is for reading: {ASK}")
    if any(name.endswith(".csv") for name in names):
        raise Fault(FILE, f"is a zip of tables, which are for reading: {ASK}")
    if "about.json" not in names and not any(name.startswith("log/") for name in names):
        raise Fault(FILE, f"is a zip, and no bundle of a log: {ASK}")


def _check_directory(file: BinaryIO) -> None:
    """Bound the zip's directory, which is read whole before anything of it can be checked."""
    length = file.seek(0, 2)
    file.seek(max(0, length - 98))
    tail = file.read(98).rjust(98, b"\0")
    count, size = struct.unpack("<HL", tail[86:92])
    if tail[56:60] == b"PK\6\7":  # the larger form, directly before
        (place,) = struct.unpack("<Q", tail[64:72])
        count, size = struct.unpack("<QQ", tail[32:48])
        if tail[:4] != b"PK\6\6" or place != length - 98:
            raise Fault("the bundle", "is no such zip as a gateway writes")
    if tail[76:80] != b"PK\5\6":
        raise Fault(FILE, f"is a zip that was cut off, or to which something was added: {AGAIN}")
    if count > 10_000 or size > SMALL:
        raise Fault("the bundle", "has too many files")


class Tree:
    """The right edge of a tree as RFC 9162 has it: a hash for each full subtree, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    @property
    def root(self) -> bytes:
        *rest, root = self._hashes or [hashlib.sha256(b"").digest()]
        for left in reversed(rest):
            root = hashlib.sha256(b"\1" + left + root).digest()
        return root

    def push(self, level: int, node: bytes) -> None:
        """Add a full subtree of 2**level leaves, where one fits."""
        at = self.size >> level
        self.size += 1 << level
        while at & 1:
            node, at = hashlib.sha256(b"\1" + self._hashes.pop() + node).digest(), at >> 1
        self._hashes.append(node)

    def extend(self, leaves: Sequence[bytes]) -> None:
        sha256, start = hashlib.sha256, 0
        while start < len(leaves):
            if self.size % 256 or len(leaves) - start < 256:
                self.push(0, leaves[start])
                start += 1
                continue
            row = leaves[start : start + 256]
            while len(row) > 1:  # level by level, several times faster than leaf by leaf
                pairs = zip(row[::2], row[1::2], strict=True)
                row = [sha256(b"\1" + left + right).digest() for left, right in pairs]
            self.push(8, row[0])
            start += 256


def next_level(start: int, end: int) -> int:
    """How large the first of the full subtrees is that make up the leaves from *start* to *end*."""
    level = (end - start).bit_length() - 1
    return min(level, (start & -start).bit_length() - 1) if start else level


def leads_to(root: bytes, index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether *path* proves the leaf at *index* (RFC 9162, 2.1.3.2)."""
    at, last, found = index, size - 1, leaf
    for other in path if 0 <= index < size else ():
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hashlib.sha256(b"\1" + other + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + other).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


@dataclass
class Person:
    """What the disclosed events of one person say: their order, and their consents."""

    following: tuple[int, str | None] = (0, None)  # number and link of the event that comes next
    missing: list[tuple[range, int]] = field(
        default_factory=list
    )  # numbers, and before which entry
    let_go: set[int] = field(default_factory=set)  # numbers that a later event says are over
    consents: dict[str, tuple[bool, Any]] = field(default_factory=dict)  # granting, and for what
    told: bool = True  # no decision is withheld: else a consent may stand that is not told of
    unknown: list[tuple[int, int]] = field(default_factory=list)  # permits on such, behind a number
    links: set[str] = field(default_factory=set)  # hashes of links that were in a mail
    pressed: list[str] = field(default_factory=list)  # and of those that confirmed


class Openings:
    """What was disclosed of people, read beside the entries that commit to it."""

    def __init__(self, bundle: Bundle) -> None:
        self._specimens = Specimens(bundle)
        self._lines = (one for some in bundle.lines(OPENINGS, OPENING_LINE) for one in some)
        self.people: dict[str, Person] = {}
        self.opened = self.withheld = 0
        self.next = (0, -1)  # log and entry that the next line is about
        self._line: dict[str, Any] = {}
        self.advance()

    def advance(self) -> None:
        text = next(self._lines, None)
        before, self.next = self.next, (1 << 16, 0)
        if text is not None:
            self._line = parsed(text, dict, OPENINGS)
            self.next = (self._number("log"), self._number("index"))
        if self.next < before:
            raise Fault(OPENINGS, "is not in the order of the entries", self.next[1])

    def _number(self, name: str) -> int:
        value = self._line.get(name)
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise Fault(OPENINGS, f"has a line without {name}")
        return value

    def check(self, entry: re.Match[bytes], texts: Texts) -> None:
        """Check all lines about this entry."""
        at, told = self.next, set[str | int]()
        while self.next == at:
            what = self._line.get("position")
            if what is None:
                what = str(self._line.get("compartment"))[:NAME]
            if not isinstance(what, str | int) or what in told:
                raise Fault(OPENINGS, "tells of something twice, or of nothing", at[1])
            told.add(what)
            if "position" in self._line:
                self._item(entry, at[1])
            else:
                self._payload(entry, at[1], texts)
            self.advance()

    def end(self) -> None:
        """Every event of a person is here but those that the log itself says were let go."""
        self._specimens.end()
        if self.next[0] != 1 << 16:
            raise Fault(OPENINGS, "is about an entry that is not in the bundle", self.next[1])
        for person in self.people.values():
            for numbers, index in person.missing:
                lacking = next((one for one in numbers if one not in person.let_go), None)
                if lacking is not None:
                    raise Fault(OPENINGS, f"lacks the person's event number {lacking}", index)
            first = person.missing[0][0].start if person.missing else None
            for number, index in person.unknown:
                if first is None or first > number:
                    raise Fault(OPENINGS, "permits a mail on a consent that nobody gave", index)

    def _facts(self, index: int) -> tuple[dict[str, Any], bytes]:
        """What was opened, and the commitment that it gives."""
        try:
            raw = a2b_base64(str(self._line.get("opened")), strict_mode=True)
        except ValueError:
            raise Fault(OPENINGS, "is not Base64", index) from None
        self.opened += 1
        bound = hmac.digest(raw[:32], b"consentgw/audit/payload/v1\0" + raw[32:], "sha256")
        return parsed_once(raw[32:], OPENINGS, index), bound

    def _payload(self, entry: re.Match[bytes], index: int, texts: Texts) -> None:
        compartment = str(self._line.get("compartment"))
        link = _links(entry["commitments"] or b"", index).get(compartment)
        if link is None:
            raise Fault(OPENINGS, "opens what the entry does not commit to", index)
        if "opened" not in self._line:
            self.withheld += 1
            person = self._person(self._line.get("subject"), index)
            if compartment == "evidence":
                person.following = (person.following[0] + 1, link)
                person.told &= entry["kind"] not in DECIDED
            return
        facts, bound = self._facts(index)
        if b2a_base64(bound, newline=False).decode() != link:
            raise Fault(OPENINGS, "has facts that are not what the entry commits to", index)
        about = (facts.get("eid"), facts.get("comp"))
        if about != (entry["eid"].decode(), compartment) or not isinstance(facts.get("sub"), str):
            raise Fault(OPENINGS, "has facts that say to be of another event", index)
        if compartment == "evidence":
            person = self._person(facts["sub"], index)
            self._follow(person, facts, link, index)
            self._decide(person, entry["kind"], facts, index)
            if entry["kind"].startswith(b"consent."):
                self._shown(person, entry["kind"], facts, index)
                texts.use_of(facts, index)

    def _shown(self, person: Person, kind: bytes, facts: dict[str, Any], index: int) -> None:
        """What people saw is here; a mail is made again, and has the link that is told of."""
        if facts.get("shown") is not None:
            self._specimens.body(facts["shown"], index)
        token = str(facts.get("token"))
        if kind == b"consent.confirmed":
            person.pressed.append(token[:NAME])
        made = facts.get("made_of")
        if kind != b"consent.mail_sent" or not isinstance(made, dict):
            return
        found = made.get("values")
        values: dict[str, str] = found if isinstance(found, dict) else {}
        if self._specimens.remade(made.get("specimen"), values, index) != facts.get("mail"):
            raise Fault(OPENINGS, "has a mail that is not the one of that hash", index)
        link = str(values.get("confirm", ""))
        if hashlib.sha256(_unpadded(link)).hexdigest() != token:
            raise Fault(OPENINGS, "has a mail with another link than the log names", index)
        person.links.add(token)

    @property
    def mails(self) -> int:
        """How many mails were made again."""
        return len(self._specimens.mails)

    @property
    def links(self) -> int:
        """How many confirmations came by a link that was in one of them."""
        return sum(one in who.links for who in self.people.values() for one in who.pressed)

    def _person(self, name: object, index: int) -> Person:
        return self.people.setdefault(self._known(name, index), Person())

    def _known(self, name: object, index: int) -> str:
        """A name that is kept, and so no longer than any of ours."""
        if not isinstance(name, str) or len(name) > NAME:
            raise Fault(OPENINGS, "names nothing that there is", index)
        return name

    def _follow(self, person: Person, facts: dict[str, Any], link: str, index: int) -> None:
        number, last = person.following
        said = facts.get("sseq")
        if type(said) is not int or not number <= said < number + 100_000:
            raise Fault(OPENINGS, "is not the next of the person's events", index)
        if number < said:
            person.missing.append((range(number, said), index))
        if said == number and facts.get("sprev") != last:
            raise Fault(OPENINGS, "does not follow the person's event before it", index)
        person.following = (said + 1, link)

    def _decide(self, person: Person, kind: bytes, facts: dict[str, Any], index: int) -> None:
        if kind == b"evidence.ended" and isinstance(facts.get("events"), list):
            person.let_go.update(one for one in facts["events"] if type(one) is int)
        if kind not in DECIDED:
            return
        name, purpose = facts.get("consent"), facts.get("purpose")
        if purpose is not None:
            self._known(purpose, index)
        if isinstance(name, str):
            self._known(name, index)
            if kind == b"consent.confirmed" and name in person.consents:
                raise Fault(OPENINGS, "confirms a consent that was decided before", index)
            person.consents[name] = (DECIDED[kind], purpose)
            return
        for one, (granting, what) in person.consents.items():  # of whatever there was
            person.consents[one] = (granting and purpose not in (None, what), what)

    def _item(self, entry: re.Match[bytes], index: int) -> None:
        """One message of a batch event; its place in the small tree is proved."""
        facts, bound = self._facts(index)
        hashes = self._line.get("path")
        if not isinstance(hashes, list) or len(hashes) > 64:
            raise Fault(OPENINGS, "has an item without its path", index)
        path = [decoded(str(one), 32, OPENINGS) for one in hashes]
        leaf = hashlib.sha256(b"\0" + bound).digest()
        root, count = entry["root"] or b"", int(entry["count"] or 0)
        if not leads_to(base64.b64decode(root), self._number("position"), count, leaf, path):
            raise Fault(OPENINGS, "has an item that is not what the entry commits to", index)
        ground, person = facts.get("ground"), self._person(facts.get("sub"), index)
        if entry["kind"] != b"permit.batch" or not isinstance(ground, dict):
            return
        name = str(ground.get("id"))
        if ground.get("kind") != "consent" or person.consents.get(name, (False, None))[0]:
            return
        if name in person.consents:
            raise Fault(OPENINGS, "permits a mail on a consent that did not stand", index)
        if person.told:
            person.unknown.append((person.following[0], index))


def _links(commitments: bytes, index: int) -> dict[str, str]:
    """What an entry commits to, by compartment."""
    found: dict[str, str] = dict(LINK.findall(commitments.decode()))
    if len(found) != commitments.count(b":"):
        raise Fault(OPENINGS, "is about an entry that commits to something twice", index)
    return found


def _unpadded(text: str) -> bytes:
    """Base64url without padding, as links have it; nothing for what is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        return b""


class Specimens:
    """What was shown or sent, without what was anybody's: files that their hashes name."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.mails: set[str] = set()

    def body(self, name: object, index: int) -> bytes:
        digest = str(name).removeprefix("sha256:")
        path = f"specimens/{digest}"
        if self._bundle.files.get(path, (0, ""))[1] != digest:
            raise Fault("specimens", f"lack the one that an entry names: {name}", index)
        return self._bundle.whole(path)

    def remade(self, name: object, values: Mapping[str, str], index: int) -> str:
        """The hash of the mail that a specimen and these values give, piece by piece."""
        letter = parsed(self.body(name, index), dict, "specimens", index)
        pieces, left = list[bytes](), MAIL
        try:
            for how, text in letter["pieces"]:
                filled = _filled(text, values, left)
                pieces.append(_as_sent(how, filled))
                left -= len(filled)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Fault("specimens", "have one of which no mail can be made", index) from None
        digest = hashlib.sha256(b"".join(pieces)).hexdigest()
        self.mails.add(digest)
        return f"sha256:{digest}"

    def end(self) -> None:
        """Whatever bears such a name is what it names, and a mail is one that the log tells of."""
        for path, (_, digest) in self._bundle.files.items():
            folder, _, name = path.partition("/")
            if folder == "specimens" and name != digest:
                raise Fault(path, "is not what its name is the hash of")
            if folder == "mails" and (name != f"{digest}.eml" or digest not in self.mails):
                raise Fault(path, "is not a mail that the log tells of")


def _filled(text: list[str], values: Mapping[str, str], most: int) -> str:
    """Constants and slots in turn: the value of that name, or a part of it."""
    parts, left = list(text), most
    for at in range(1, len(parts), 2):
        found = SLOT.fullmatch(parts[at])
        name, *cut = found.groups("") if found else ("", "", "")
        parts[at] = values[name] if not cut[0] else values[name][int(cut[0]) : int(cut[1])]
        left -= len(parts[at])
        if left < 0:
            raise ValueError("too long")
    return "".join(parts)


def _as_sent(how: str, text: str) -> bytes:
    if how == "7bit":
        return text.encode("ascii")
    if how != "base64":
        raise ValueError(how)
    raw = text.encode()
    lines = (raw[at : at + 57] for at in range(0, len(raw), 57))
    return b"".join(b2a_base64(line, newline=False) + b"\r\n" for line in lines)


class Texts:
    """The wordings, each a line that its hash names; the log tells of each before it is used."""

    def __init__(self, bundle: Bundle) -> None:
        lines = (one for some in bundle.lines(TEXTS, SMALL) for one in some)
        self._notices = {  # of each wording the privacy notice that it was shown with
            f"sha256:{hashlib.sha256(line).hexdigest()}": str(
                parsed(line, dict, TEXTS).get("notice")
            )[:NAME]
            for line in lines
        }
        named = {name: f"notices/{name[7:]}.txt" for name in self._notices.values()}
        self._there = {
            name for name, path in named.items() if bundle.files.get(path, (0, ""))[1] == path[8:-4]
        }
        self._published: set[str] = set()
        self.lost = False  # a log lost entries, and perhaps those that told of a wording

    def published(self, text: str) -> None:
        self._published.add(text)

    def use_of(self, facts: Mapping[str, Any], index: int) -> None:
        if isinstance(facts.get("text"), str):
            self.use(facts["text"], index)

    def use(self, text: str, index: int) -> None:
        if text not in self._notices:
            raise Fault(TEXTS, f"lacks the wording {text}", index)
        if self._notices[text] not in self._there:
            raise Fault("notices", f"lack the one that the wording {text} names", index)
        if text not in self._published and not self.lost:
            raise Fault(TEXTS, f"has a wording that was not published before: {text}", index)


@dataclass(frozen=True)
class Gap:
    """What a successor says of a log that was closed."""

    size: int  # up to where its entries are there
    root: bytes
    end: int  # up to where some had been signed
    guard: Checkpoint | None  # that says so


@dataclass
class Reading:
    """One log, as far as it was read."""

    generation: int
    name: str
    checkpoint: Checkpoint
    tree: Tree = field(default_factory=Tree)
    claims: dict[int, list[tuple[bytes, str]]] = field(default_factory=dict)
    older: list[Checkpoint] = field(default_factory=list)
    signed_at: list[tuple[int, int]] = field(default_factory=list)  # sizes, and when cosigned
    cosigned: dict[int, set[str]] = field(default_factory=dict)  # by which witnesses, by size
    entries: int = 0

    @property
    def path(self) -> str:
        return f"log/{self.generation}/entries.jsonl"

    def claim(self, checkpoint: Checkpoint, whose: str) -> None:
        self.claims.setdefault(checkpoint.size, []).append((checkpoint.root, whose))
        self.signed_at += [(checkpoint.size, at) for at in checkpoint.times.values()]
        self.cosigned.setdefault(checkpoint.size, set()).update(checkpoint.times)

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves, and compare the roots on the way with those that were signed."""
        begun, end = self.tree.size, self.tree.size + len(leaves)
        for size in sorted(one for one in self.claims if begun < one <= end):
            self.tree.extend(leaves[self.tree.size - begun : size - begun])
            self.compare(size)
        self.tree.extend(leaves[self.tree.size - begun :])

    def compare(self, size: int) -> None:
        for root, whose in self.claims.get(size, ()):
            if root != self.tree.root:
                what = f"do not give {whose} of size {size}: the log is another than was signed"
                raise Fault(self.path, f"the entries {what}")

    def skip(self, line: bytes) -> None:
        """Pass over entries that are not in the bundle, by the hashes of their subtrees."""
        start = self.tree.size
        hashes = parsed(line, list, self.path, start)
        count = hashes[0] if hashes else None
        if type(count) is not int or not 0 < count <= self.checkpoint.size - start:
            raise Fault(self.path, "has neither an entry here nor the hashes instead", start)
        for text in hashes[1:]:
            left = start + count - self.tree.size
            level = next_level(self.tree.size, start + count) if left else 64
            if level == 64:
                raise Fault(self.path, "has too many hashes", start)
            self.tree.push(level, decoded(str(text), 32, self.path))
        for size in sorted(one for one in self.claims if start < one < start + count):
            whose = self.claims[size][0][1]
            what = f"has no hashes for {whose} of size {size}: ask for a bundle that continues it"
            raise Fault(self.path, what)
        if self.tree.size != start + count:
            raise Fault(self.path, "has too few hashes", start)
        self.compare(self.tree.size)


@dataclass
class Verdict:
    """What was proved."""

    origin: str
    made_at: str
    level: str = "signed"
    conspirators: list[str] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    sealed: int = 0  # facts about people that the entries commit to
    opened: int = 0
    erased: int = 0  # of such facts, as the log tells
    withheld: int = 0
    witnesses: list[str] = field(default_factory=list)  # of yours, who signed one checkpoint
    lacking: list[str] = field(default_factory=list)  # and who did not sign it
    needed: int = 0  # how many of them make the export a witnessed one
    mails: int = 0  # that asked for a consent, and were made again to the byte
    links: int = 0  # that were in one of them, and confirmed


class Verification:
    """All checks of one bundle."""

    def __init__(
        self, bundle: Bundle, keys: Keys, held: Sequence[bytes], needed: int | None
    ) -> None:
        self._bundle, self._keys, self._held = bundle, keys, [kept_in(one) for one in held]
        self._stated = needed
        self.texts = Texts(bundle)
        self.openings = Openings(bundle)
        self._told: dict[int, Gap] = {}
        self._read: dict[int, Reading] = {}
        self._kept: dict[int, list[Checkpoint]] = {}
        self._followed: dict[bytes, tuple[int, int]] = {}  # keys, by the entry that says so
        self.verdict = Verdict(bundle.origin, bundle.made_at)

    def run(self) -> Verdict:
        for number, note in enumerate(self._held, 1):
            self._keep(note, f"your checkpoint {number}")
        paths = (re.fullmatch(r"log/([1-9][0-9]{0,2})/checkpoint", p) for p in self._bundle.files)
        for generation in sorted(int(found[1]) for found in paths if found):
            self._log(generation)
        if not self._read:
            raise Fault("the bundle", "has no log")
        self.openings.end()
        self._close()
        self._check_signers()
        for name in sorted(self._bundle.files.keys() - self._bundle.seen):
            for _ in self._bundle.chunks(name):
                pass
        return self._conclude()

    def _name(self, generation: int) -> str:
        return self._bundle.origin + ("" if generation == 1 else f"/{generation}")

    def _keep(self, note: bytes, where: str) -> None:
        named = note.split(b"\n", 1)[0].decode(errors="replace")
        own = re.escape(self._bundle.origin)
        number = re.fullmatch(own + r"(?:/([2-9]|[1-9][0-9]{1,2}))?", named)
        if number is None:
            raise Fault(where, f"is of another log than {self._bundle.origin}")
        found = self._keys.checkpoint(note, named, self._bundle.origin, where)
        self._kept.setdefault(int(number[1] or 1), []).append(found)

    def _log(self, generation: int) -> None:
        name, folder = self._name(generation), f"log/{generation}"
        first = self._bundle.origin

        def read(note: bytes, where: str) -> Checkpoint:
            return self._keys.checkpoint(note, name, first, where)

        newest = read(self._bundle.whole(f"{folder}/checkpoint"), f"{folder}/checkpoint")
        log = self._read[generation] = Reading(generation, name, newest)
        log.claim(newest, "the bundle's checkpoint")
        where = f"{folder}/checkpoints.jsonl"
        for line in (one for some in self._bundle.lines(where, SMALL) for one in some):
            older = read(parsed(line, str, where).encode(errors="replace"), where)
            if older.size > newest.size:
                what = (
                    f"has a checkpoint of {older.size} entries, that of the log has {newest.size}"
                )
                raise Fault(where, what)
            log.older.append(older)
            log.claim(older, "an older checkpoint")
        for one in self._kept.get(generation, ()):
            log.claim(one, "your checkpoint")
        self.texts.lost = generation > 1  # what told of a wording may be among what was lost
        self._walk(log)
        if log.tree.size != newest.size:
            raise Fault(log.path, f"ends at {log.tree.size}, the checkpoint covers {newest.size}")

    def _walk(self, log: Reading) -> None:
        match, sha256 = ENTRY.fullmatch, hashlib.sha256
        looks = Looks(self, log)
        for lines in self._bundle.lines(log.path, ENTRY_LINE):
            leaves: list[bytes] = []
            index = log.tree.size
            for line in lines:
                found = match(line)
                if found is not None:
                    leaves.append(sha256(b"\0" + line).digest())
                    looks.at(found, index)
                    index += 1
                    continue
                log.grow(leaves)
                if line[:1] != b"[":
                    raise Fault(log.path, "is no entry of a log", index)
                log.skip(line)
                leaves, index = [], log.tree.size
            log.grow(leaves)

    def refs(self, log: Reading, kind: bytes, raw: bytes | None, index: int) -> None:
        """What entries say without naming anybody: wordings, what was erased, what was lost."""
        refs = parsed_once(raw or b"{}", log.path, index)
        if kind == b"text.published":
            self.texts.published(str(refs.get("text")))
        elif kind == ROTATED:
            if refs.get("state") == "signed_in":
                before = decoded(refs.get("before", ""), 32, log.path)
                self._followed.setdefault(before, (log.generation, index))
        elif kind in BEGINNINGS:
            if "predecessor" in refs and index < log.generation:
                self._tell(refs, log.path, log.generation, index)
        elif kind in (b"subject.erased", b"evidence.ended"):
            numbers = [refs.get(name, "0") for name in ("payloads", "items")]
            self.verdict.erased += sum(int(one) for one in numbers if SIZE.fullmatch(one))
        elif "text" in refs:
            self.texts.use(refs["text"], index)

    def _tell(self, refs: Mapping[str, str], path: str, own: int, index: int) -> None:
        sizes = [refs.get(name, "0") for name in ("predecessor", "size", "guard")]
        if not all(SIZE.fullmatch(one) for one in sizes):
            raise Fault(path, "does not say which log was closed, and where", index)
        generation, size, guard = map(int, sizes)
        if not 0 < generation < own:
            raise Fault(path, "says that a log was closed that was not before it", index)
        root = decoded(refs.get("root", ""), 32, path)
        stood = None
        if "guard" in refs:
            name = self._name(generation)
            said = f"{name}\n{guard}\n{refs.get('guard_root')}\n"
            note = f"{said}\n— {name} {refs.get('guard_signature')}\n".encode()
            stood = self._keys.checkpoint(note, name, self._bundle.origin, path)
        self._told[generation] = Gap(size, root, max(size, guard), stood)

    def _close(self) -> None:
        """Each log ends where its successor says, and none before a checkpoint that you keep."""
        newest = max(self._read)
        for generation in range(1, newest):
            gap, log = self._told.get(generation), self._read.get(generation)
            there = Tree() if log is None else log.tree
            name = self._name(generation)
            if gap is None:
                raise Fault(f"log/{newest}", f"does not tell where {name} was closed")
            if (gap.size, gap.root) != (there.size, there.root):
                raise Fault(f"log/{generation}", f"was closed at {gap.size}, not at {there.size}")
            if gap.end > gap.size:
                self.verdict.gaps.append(f"accepted gap {gap.size}..{gap.end} in {name}")
            else:
                self.verdict.gaps.append(f"{name} was closed at {gap.size}")
        for generation, kept in self._kept.items():
            there = self._read[generation].tree if generation in self._read else Tree()
            gap = self._told.get(generation)
            size, end = max(one.size for one in kept), max(there.size, gap.end if gap else 0)
            if size > end:
                what = f"is cut off after {there.size}: your checkpoint covers {size} entries"
                older = "if this was exported before it, ask for a newer export"
                raise Fault(f"log/{generation}", f"{what}; {older}")
            self._beyond(generation, [one for one in kept if one.size > there.size], gap)

    def _beyond(self, generation: int, kept: Sequence[Checkpoint], gap: Gap | None) -> None:
        """Checkpoints of what was lost: of one size there is one root, whatever it was of."""
        guard = gap.guard if gap else None
        roots = {} if guard is None else {guard.size: guard.root}
        for one in kept:
            if roots.setdefault(one.size, one.root) != one.root:
                what = f"had two roots of size {one.size}: two histories were signed"
                raise Fault(f"log/{generation}", what)
            said = f"your checkpoint of size {one.size} covers lost entries"
            with_what = "the guard's alone" if guard and guard.size == one.size else "nothing"
            self.verdict.gaps.append(f"{said}: it was compared with {with_what}")

    def _check_signers(self) -> None:
        """A key that was followed by another signs nothing behind the entry that says so."""
        signed = [(log.checkpoint, n, f"log/{n}/checkpoint") for n, log in self._read.items()]
        for n, log in self._read.items():
            signed += [(one, n, f"log/{n}/checkpoints.jsonl") for one in log.older]
        signed += [(one, n, "your checkpoint") for n, kept in self._kept.items() for one in kept]
        for one, generation, where in signed:
            if (generation, one.size) > self._followed.get(one.key, (generation, one.size)):
                raise Fault(where, "is signed by a key that another had followed before")
        newest = self._read[max(self._read)].checkpoint
        if newest.key in self._keys.older:
            where = f"log/{max(self._read)}/checkpoint"
            raise Fault(where, "is signed by a key that yours followed: ask for a newer bundle")
        if self._bundle.key != newest.key:
            raise Fault(MANIFEST, "is signed by another key than the newest checkpoint")

    def _conclude(self) -> Verdict:
        verdict, openings = self.verdict, self.openings
        verdict.opened, verdict.withheld = openings.opened, openings.withheld
        verdict.mails, verdict.links = openings.mails, openings.links
        verdict.logs = [
            {"origin": one.name, "size": one.tree.size, "entries": one.entries}
            for one in self._read.values()
        ]
        log = self._read[max(self._read)]
        operator = f"whoever holds the key of {self._bundle.origin}"
        known = self._keys.of(log.name, self._bundle.origin)
        if log.checkpoint.key != self._keys.newest(known):  # this may have been made since then
            operator = f"whoever holds, or ever held, an older key of {self._bundle.origin}"
        kept = max((one.size for one in self._kept.get(log.generation, ())), default=0)
        if kept:
            verdict.level = "held outside"
            said = f"{operator}, together with whoever kept your checkpoint for you"
            verdict.conspirators.append(f"entries before {kept}: {said}")
        cosigned = self._witnessed(log)
        if cosigned:
            verdict.level = "witnessed"
            said = f"{operator}, together with the witnesses {', '.join(verdict.witnesses)}"
            if len(verdict.witnesses) > verdict.needed:
                said = (
                    f"{operator}, together with {verdict.needed} of {', '.join(verdict.witnesses)}"
                )
            verdict.conspirators.append(f"entries before {cosigned}: {said}")
        rest = max(kept, cosigned)
        if rest < log.tree.size:
            verdict.conspirators.append(f"entries from {rest} on: {operator}, alone")
        return verdict

    def _witnessed(self, log: Reading) -> int:
        """The size of the newest checkpoint that enough witnesses signed; 0: there is none."""
        yours, verdict = self._keys.witnesses, self.verdict
        verdict.needed = len(yours) if self._stated is None else self._stated
        if not verdict.needed:
            return 0
        enough = {n: who for n, who in log.cosigned.items() if len(who) >= verdict.needed}
        size = max(enough, default=0)
        most = max(log.cosigned.values(), key=len, default=set[str]())
        verdict.witnesses = sorted(enough.get(size, most))
        verdict.lacking = sorted(yours.keys() - verdict.witnesses)
        if self._stated is not None and not enough:
            lacking = ", ".join(verdict.lacking) or "nobody else whose key you gave"
            what = f"{len(most)} of the {verdict.needed} witnesses that you need signed one"
            raise Fault(f"log/{log.generation}", f"{what} checkpoint; missing: {lacking}")
        return size


class Looks:
    """What is looked at in each entry of a log, in their order."""

    def __init__(self, whole: Verification, log: Reading) -> None:
        self._whole, self._log, self._latest = whole, log, b""
        self._bounds = Bounds(log)

    def at(self, entry: re.Match[bytes], index: int) -> None:
        whole, log = self._whole, self._log
        kind, at, sealed, count = entry.group("kind", "at", "commitments", "count")
        if kind in BEGINNINGS and index < log.generation:
            self._latest = b""  # behind it comes what was staged for the log before
        elif at < self._latest:
            self._latest = _later(self._latest, at, kind, log.path, index)
        else:
            self._latest = at
        if self._bounds.known:
            self._bounds.check(at, index)
        if sealed is not None or count is not None:
            whole.verdict.sealed += int(count) if sealed is None else sealed.count(b":")
        if kind in TELLING:
            whole.refs(log, kind, entry["refs"], index)
        if whole.openings.next == (log.generation, index):
            whole.openings.check(entry, whole.texts)
        log.entries += 1


class Bounds:
    """What witnesses saw bounds when entries were made, whatever date an entry itself bears."""

    def __init__(self, log: Reading) -> None:
        self._path = log.path
        self.known = sorted(log.signed_at)
        self._sizes = [size for size, _ in self.known]
        moments = [datetime.fromtimestamp(min(at, 1 << 34), UTC) for _, at in self.known]
        before = accumulate((_text(at - TOLERANCE) for at in moments), max)
        behind = accumulate((_text(at + TOLERANCE) for at in reversed(moments)), min)
        self._earliest, self._latest = [b"", *before], [*reversed([*behind]), b"~"]

    def check(self, at: bytes, index: int) -> None:
        place = bisect_right(self._sizes, index)
        if not self._earliest[place] <= at <= self._latest[place]:
            raise Fault(self._path, "has a date that the witnesses' signatures contradict", index)


def _text(moment: datetime) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()


def _later(latest: bytes, at: bytes, kind: bytes, path: str, index: int) -> bytes:
    """The latest moment, behind an entry with an earlier one."""
    if kind == STEP:
        return at
    try:
        back = datetime.fromisoformat(latest.decode()) - datetime.fromisoformat(at.decode())
    except ValueError:
        raise Fault(path, "has a date that there is not", index) from None
    if back > TOLERANCE:
        raise Fault(path, f"is dated {back} before an entry that was there already", index)
    return latest


def kept_in(raw: bytes) -> bytes:
    """A checkpoint as somebody kept it: by itself, or in the mail that brought it."""
    if raw.partition(b"\n\n")[0].count(b"\n") == 2 and not raw[:1].isspace():
        return raw  # what a note is, whatever is wrong with it
    for body in _bodies(raw.replace(b"\r\n", b"\n")):
        found = KEPT.search(body.decode(errors="replace").replace("\r\n", "\n"))
        if found is not None:
            return found[0].encode()
    return raw


def _bodies(mail: bytes) -> Iterator[bytes]:
    """The mail as text, however its parts are written (RFC 2045); no more of its structure."""
    yield mail
    yield quopri.decodestring(mail)
    for lines in BASE64.findall(mail):
        try:
            yield a2b_base64(lines)
        except ValueError:
            continue


def verify(
    file: BinaryIO, keys: str, held: Sequence[bytes] = (), needed: int | None = None
) -> Verdict:
    """Check a bundle; raises `Fault`, and nothing else, whatever it is given.

    *needed* is how many witnesses of those whose keys are given must have signed one checkpoint.
    """
    known = Keys(keys)
    if needed is not None and not 0 < needed <= len(known.witnesses):
        there = len(known.witnesses)
        raise Fault("the keys", f"have {there} of witnesses: {needed} of them cannot be had")
    bundle = Bundle(file, known)
    try:
        return Verification(bundle, known, held, needed).run()
    except Fault as fault:
        raise bundle.altered() or fault from None


def tell(verdict: Verdict) -> Iterator[str]:
    """The verdict in words."""
    for log in verdict.logs:
        yield f"{log['origin']}: {log['entries']} of {log['size']} entries are here, and unaltered"
    yield from verdict.gaps
    yield f"facts about people: {verdict.sealed} sealed, {verdict.opened} of them opened and true,"
    yield f"  {verdict.withheld} withheld, {verdict.erased} destroyed by erasures, as the log tells"
    if verdict.mails:
        yield f"mails that asked: {verdict.mails} made again to the byte,"
        yield f"  {verdict.links} of whose links confirmed"
    if verdict.needed:
        yield f"witnesses: {len(verdict.witnesses)} signed, {verdict.needed} needed;"
        yield f"  missing: {', '.join(verdict.lacking) or 'none'}"
    yield "who could have deceived you:"
    yield from (f"  {one}" for one in verdict.conspirators)
    yield f"ok; level: {verdict.level}"


def main(arguments: Sequence[str] | None = None) -> int:
    words = argparse.ArgumentParser(description="Check an export of an audit log, offline.")
    words.add_argument("bundle", type=Path)
    words.add_argument("--keys", type=Path, required=True, help="your own file of C2SP keys")
    words.add_argument("--checkpoint", type=Path, action="append", default=[], help="one you kept")
    words.add_argument(
        "--witnesses", type=int, metavar="K", help="so many of yours must have signed"
    )
    words.add_argument("--json", action="store_true", help="for a machine")
    given = words.parse_args(arguments)
    if given.bundle.is_dir():
        found: Verdict | Fault = Fault(FILE, "is a folder: give the zip, and not what was in it")
        sys.stdout.write(said(found, given.json) + "\n")
        return 1
    try:
        held = [path.read_bytes() for path in given.checkpoint]
        keys = given.keys.read_text("utf-8", "replace")
        with given.bundle.open("rb") as file:
            found = judge(file, keys, held, given.witnesses)
    except OSError as error:
        found = Fault(str(error.filename), str(error.strerror))
    sys.stdout.write(said(found, given.json) + "\n")
    return 1 if isinstance(found, Fault) else 0


def judge(
    file: BinaryIO, keys: str, held: Sequence[bytes], needed: int | None = None
) -> Verdict | Fault:
    """As `verify`, but the fault is an answer, too."""
    try:
        return verify(file, keys, held, needed)
    except Fault as fault:
        return fault


def said(found: Verdict | Fault, as_json: bool) -> str:
    """A verdict or a fault, for a person or a machine; nothing in it that a terminal obeys."""
    if isinstance(found, Fault):
        told = {"ok": False, "where": found.where, "index": found.index, "fault": found.what}
        text = json.dumps(told) if as_json else f"FAILED: {found}"
    else:
        told = {"ok": True, **asdict(found)}
        text = json.dumps(told) if as_json else "\n".join(tell(found))
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)


if __name__ == "__main__":
    sys.exit(main())
