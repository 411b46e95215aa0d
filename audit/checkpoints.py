"""C2SP signed notes and checkpoints (signed-note, tlog-checkpoint), with Ed25519.

A note is text, an empty line, and signature lines. Parsing is strict: what is
not byte for byte as the format says is refused. Signatures by other keys, such
as those of witnesses, are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import succession
from audit.canonical import decode, encode
from audit.errors import NoteError

_ED25519 = b"\x01"
_LARGEST = 1_000_000  # signed-note lets a reader set a limit
_NAME = re.compile(r"[!-*,-~]{1,200}")  # printable ASCII without space and plus
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: who, how many entries, and the root over them."""

    origin: str
    size: int
    root: bytes


class Verifier:
    """Checks the notes of one key, named by its vkey string; reads the key once."""

    def __init__(self, vkey: str) -> None:
        found = _VKEY.fullmatch(vkey)
        raw = _decode(found["key"]) if found else b""
        if found is None or len(raw) != 33 or raw[:1] != _ED25519:
            raise NoteError("not a vkey of an Ed25519 key")
        self.name = found["name"]
        self._id = _key_id(self.name, raw[1:])
        if self._id.hex() != found["id"]:
            raise NoteError("the id in the vkey belongs to another key")
        self._raw = raw[1:]
        self._key = Ed25519PublicKey.from_public_bytes(self._raw)
        self._successors: dict[int, Verifier] = {}

    def of(self, generation: int) -> Verifier:
        """The same key for a successor of this log; the first is itself (`audit/succession.py`)."""
        if generation == 1:
            return self
        if generation not in self._successors:
            name = succession.name_of(self.name, generation)
            self._successors[generation] = Verifier(_vkey(name, self._raw))
        return self._successors[generation]

    @property
    def vkey(self) -> str:
        """As C2SP writes the key."""
        return _vkey(self.name, self._raw)

    def open(self, note: str) -> str:
        """Return the text of *note* when this key signed it."""
        text, signatures = _parts(note)
        ours = [s[4:] for name, s in signatures if name == self.name and s[:4] == self._id]
        if not ours:
            raise NoteError("not signed by this key")
        for signature in ours:
            try:
                self._key.verify(signature, text.encode())
            except InvalidSignature:
                raise NoteError("the signature is wrong") from None
        return text

    def checkpoint(self, note: str) -> Checkpoint:
        """Return the checkpoint in *note* when this key signed it for its own log."""
        checkpoint = parse(self.open(note))
        if checkpoint.origin != self.name:
            raise NoteError("a checkpoint of another log")
        return checkpoint


def format(checkpoint: Checkpoint) -> str:
    """The text of a checkpoint: what is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode(checkpoint.root)}\n"


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint. Extension lines are refused: we never write any."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise NoteError("a checkpoint has three lines")
    origin, size, root = lines[:3]
    if not is_name(origin) or not _SIZE.fullmatch(size) or len(_decode(root)) != 32:
        raise NoteError("a checkpoint is origin, size and root")
    return Checkpoint(origin, int(size), _decode(root))


def sign(checkpoint: Checkpoint, seed: bytes) -> str:
    """The signed note of a checkpoint; the same for the same arguments (RFC 8032)."""
    return sign_text(format(checkpoint), checkpoint.origin, seed)


def sign_text(text: str, name: str, seed: bytes) -> str:
    """Sign any text as *name*."""
    if not is_name(name) or not text.endswith("\n") or _has_controls(text):
        raise ValueError("not a text and name for a note")
    key = Ed25519PrivateKey.from_private_bytes(seed)
    key_id = _key_id(name, key.public_key().public_bytes_raw())
    return f"{text}\n— {name} {encode(key_id + key.sign(text.encode()))}\n"


def verify(note: str, vkey: str) -> Checkpoint:
    """Return the checkpoint in *note*, or raise `NoteError`."""
    return Verifier(vkey).checkpoint(note)


def vkey(name: str, seed: bytes) -> str:
    """The public half of a signing key, as C2SP writes it."""
    return _vkey(name, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def is_name(name: str) -> bool:
    """Say whether *name* can stand as an origin and key name."""
    return _NAME.fullmatch(name) is not None


def _decode(text: str) -> bytes:
    try:
        return decode(text)
    except ValueError:
        raise NoteError("not base64") from None


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > _LARGEST or _has_controls(note):
        raise NoteError("not a note")
    text, gap, lines = note.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise NoteError("a note is text, an empty line and signatures")
    return text + "\n", [signature(line) for line in lines[:-1].split("\n")]


def signature(line: str) -> tuple[str, bytes]:
    """Whose a signature line says that it is, and key id and signature; whether it is, is open."""
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteError("not a signature line")
    raw = _decode(found["signature"])
    if len(raw) < 5:
        raise NoteError("a signature of no length")
    return found["name"], raw


def _has_controls(text: str) -> bool:
    return any(char < " " and char != "\n" for char in text) or not _is_utf8(text)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _vkey(name: str, public: bytes) -> str:
    return f"{name}+{_key_id(name, public).hex()}+{encode(_ED25519 + public)}"


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
