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
from audit.errors import NoteError, SignerUnknown

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
    """Checks the notes of the keys of one log, named by their vkey strings; reads them once.

    A log has one key after the other, oldest first. One that was followed by another
    counts up to the place where that was signed in (`audit/handovers.py`).
    """

    def __init__(self, *vkeys: str, followed: dict[bytes, int] | None = None) -> None:
        """*followed* are places of entries, by the key that signs nothing behind them."""
        parsed = [_read_vkey(vkey) for vkey in vkeys]
        self.name = parsed[0][0]
        if any(name != self.name for name, _ in parsed):
            raise NoteError("keys of several logs")
        self._base = 0
        self._raw = list(dict.fromkeys(raw for _, raw in parsed))
        self._keys = {_key_id(self.name, raw): _public(raw) for raw in self._raw}
        self._followed: dict[bytes, int] = {} if followed is None else followed
        self._successors: dict[int, Verifier] = {}
        # Several times a second the same note is read from as many places.
        self._last: tuple[str, tuple[str, bytes]] | None = None

    def of(self, generation: int) -> Verifier:
        """The same keys for a successor of this log; of the first it is itself."""
        if generation == 1:
            return self
        if generation not in self._successors:
            name = succession.name_of(self.name, generation)
            vkeys = (vkey_of(name, raw) for raw in self._raw)
            made = self._successors[generation] = Verifier(*vkeys, followed=self._followed)
            made._base = succession.base_of(generation)
        return self._successors[generation]

    def afresh(self) -> Verifier:
        """The same, for whoever is to learn from a file which key was followed, but no one else."""
        return Verifier(*self.vkeys, followed=dict(self._followed))

    @property
    def vkey(self) -> str:
        """The newest key as C2SP writes it."""
        return self.vkeys[-1]

    @property
    def vkeys(self) -> list[str]:
        """All keys, oldest first."""
        return [vkey_of(self.name, raw) for raw in self._raw]

    def follow(self, before: bytes, key: bytes, place: int) -> None:
        """Know that the entry at *place* let *key* follow *before*; the first that does so counts.

        The first log's, for itself and its successors. What a key that is not ours says is
        nothing to us; nor does one that was followed sign in another one.
        """
        if before not in self._raw:
            return
        if key not in self._raw:
            if before != self._raw[-1] or before in self._followed:
                return  # by whoever has a key that is no longer used
            self._raw.append(key)
            self._keys[_key_id(self.name, key)] = _public(key)
            self._successors.clear()
            self._last = None  # a signature that nobody could check is looked at from here on
        self._followed[before] = min(place, self._followed.get(before, place))

    def open(self, note: str) -> str:
        """Return the text of *note* when one of these keys signed it."""
        return self._opened(note)[0]

    def signer(self, note: str) -> bytes:
        """Which of these keys signed *note*."""
        return self._opened(note)[1]

    def checkpoint(self, note: str) -> Checkpoint:
        """Return the checkpoint in *note* when a key that counts signed it for its own log."""
        text, key = self._opened(note)
        checkpoint = parse(text)
        if checkpoint.origin != self.name:
            raise NoteError("a checkpoint of another log")
        place = self._base + checkpoint.size
        if place > self._followed.get(key, place):
            raise NoteError("signed by a key that another had followed")
        return checkpoint

    def _opened(self, note: str) -> tuple[str, bytes]:
        last = self._last
        if last is None or last[0] != note:
            last = self._last = (note, self._signed(note))
        return last[1]

    def _signed(self, note: str) -> tuple[str, bytes]:
        text, signatures = _parts(note)
        named = [(s[:4], s[4:]) for name, s in signatures if name == self.name]
        ours = [(self._keys[key_id], s) for key_id, s in named if key_id in self._keys]
        if not ours:
            raise SignerUnknown if named else NoteError("not signed by this key")
        for key, signature in ours:
            try:
                key.verify(signature, text.encode())
            except InvalidSignature:
                raise NoteError("the signature is wrong") from None
        return text, ours[0][0].public_bytes_raw()


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
    key_id = _key_id(name, public(seed))
    return f"{text}\n— {name} {encode(key_id + key.sign(text.encode()))}\n"


def verify(note: str, vkey: str) -> Checkpoint:
    """Return the checkpoint in *note*, or raise `NoteError`."""
    return Verifier(vkey).checkpoint(note)


def vkey(name: str, seed: bytes) -> str:
    """The public half of a signing key, as C2SP writes it."""
    return vkey_of(name, public(seed))


def vkey_of(name: str, raw: bytes) -> str:
    """A public key, as C2SP writes it."""
    return f"{name}+{_key_id(name, raw).hex()}+{encode(_ED25519 + raw)}"


def public(seed: bytes) -> bytes:
    """The public half itself."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


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


def _read_vkey(vkey: str) -> tuple[str, bytes]:
    """Name and key in a vkey string."""
    found = _VKEY.fullmatch(vkey)
    raw = _decode(found["key"]) if found else b""
    if found is None or len(raw) != 33 or raw[:1] != _ED25519:
        raise NoteError("not a vkey of an Ed25519 key")
    if _key_id(found["name"], raw[1:]).hex() != found["id"]:
        raise NoteError("the id in the vkey belongs to another key")
    return found["name"], raw[1:]


def _public(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def _key_id(name: str, raw: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]
