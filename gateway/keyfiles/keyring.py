"""The keys that no database holds: one JSON file, mode 0600, or a variable that has its text.

Of each kind there may be several, each with a number and a state: rows name the
key that made them, so that one can be followed by another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from audit import handovers
from audit.errors import NoteError
from audit.signers import Signers
from consent.keys.wrapping import proof
from gateway.config.fields import Variable
from gateway.errors import KeyFileError
from gateway.keyfiles import key_files
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret

_FORMAT = 2
_SIZE = 32
_HEAD = {"format", "active_kek", "keks", "sets"}
_ADOPTING = "adopting"  # beside them while an upgrade signs rows of the first release
_HANDOVERS = "handovers"  # beside them once another key signs the log
# How the first release named the keys of each kind; of each it had one, of `web` a list.
_FIRST = {
    "lookup": "blind_index",
    "suppression": "suppression",
    "audit": "audit_mac",
    "rows": "consent_mac",
    "fingerprint": "fingerprint",
    "signing": "signing_seed",
}
_MARKS = b"consentgw/keyring/marks/v1"
_FIRST_FIELDS = {"format", "active_kek", "keks", "web", *_FIRST.values()}


class Adoption(Enum):
    """How far the rows that a keyring's keys are for are signed."""

    WAITS = auto()  # they are of the first release, which signed next to none
    BEGUN = auto()  # an upgrade signs them, or was ended while it did
    DONE = auto()


@dataclass(frozen=True)
class Keyring:
    """Every key outside the databases, each for one use; 32 random bytes each."""

    keks: dict[int, Secret]  # by epoch; they wrap the data keys in the key store
    active_kek: int  # the epoch that wrapped when this was written; the key store knows better
    lookup: KeySet  # address -> look-up index
    suppression: KeySet  # address -> hash in the suppression list
    marks: KeySet  # address -> hash in the marks of who left, and their MACs
    audit: KeySet  # rows of the audit log
    rows: KeySet  # every other row that grants something
    fingerprint: KeySet  # bodies behind idempotency keys
    signing: KeySet  # Ed25519, signs checkpoints
    web: KeySet  # form stamps and cookies
    adoption: Adoption = field(default=Adoption.DONE, kw_only=True)
    # By which each signing key signed in the next: public, and kept when the keys are gone.
    handovers: list[str] = field(default_factory=list, kw_only=True)

    def signers(self, origin: str) -> Signers:
        """Who signs for the log of that name; they follow this keyring."""
        return Signers(origin, self.signing, self.handovers)

    @property
    def beside_lookup(self) -> dict[str, KeySet]:
        """What else tells of an address: a node that lacks one of these looks nobody up either."""
        return {"marks": self.marks, "suppression": self.suppression}

    @property
    def sets(self) -> dict[str, KeySet]:
        """The sets of keys by their kind."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, KeySet)}


def create(path: Path) -> Keyring:
    """Make new keys and store them at *path*, durable before it returns.

    Never overwrites: raises KeyFileError when anything is there.
    """
    kinds = (*_FIRST, "marks", "web")
    made: dict[str, Any] = {kind: KeySet.of(new_key()) for kind in kinds}
    keyring = Keyring({1: new_key()}, 1, **made)
    key_files.create(path, _encode(keyring))
    return keyring


def load(path: Path | Variable) -> Keyring:
    """Read the keyring; raises KeyFileError when it is missing, open to others or damaged."""
    raw = key_files.read(path)
    try:
        return _decode(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError, NoteError):
        # The reason could quote the file.
        raise KeyFileError(
            f"{path} is no keyring of this release, or is damaged",
            "see keys.keyring_file, or put the newest copy of it back",
        ) from None


def current(path: Path | Variable) -> Keyring:
    """As `load`, for whoever works with rows; a KeyFileError too while they wait to be signed."""
    keyring = load(path)
    if keyring.adoption is Adoption.WAITS:
        raise KeyFileError(
            f"{path} is of the first release",
            "run `gateway db upgrade`, or copy the keyring that it wrote on another machine",
        )
    if keyring.adoption is Adoption.BEGUN:
        raise KeyFileError(f"{path} has rows that are not signed yet", "run `gateway db upgrade`")
    return keyring


def modernise(
    path: Path | Variable, keyring: Keyring, adoption: Adoption = Adoption.DONE
) -> Keyring:
    """Write a keyring of the first release in today's format, with how far its rows are signed.

    That is noted here and not in a database: whoever writes rows could have
    rows of their own signed by undoing it.
    """
    new = replace(keyring, adoption=adoption)
    if isinstance(path, Variable):
        raise KeyFileError(f"{path} cannot be written: upgrade with keys.keyring_file")
    key_files.replace(path, _encode(new))
    return new


def amend(path: Path | Variable, change: Callable[[Keyring], Keyring]) -> Keyring:
    """Change the file at *path*, one process after another; what is there afterwards.

    Raises KeyFileError where it cannot be read, or has to be written and cannot.
    """
    if isinstance(path, Variable):
        if change(old := load(path)) != old:
            raise KeyFileError(f"{path} cannot be written: see `gateway keys rotate --keyring-out`")
        return old
    with key_files.alone(path):
        old = load(path)
        new = change(old)
        if new != old:
            key_files.replace(path, _encode(new))
        return new


def write(path: Path, ring: Keyring) -> None:
    """Store a keyring at *path*, where nothing is; raises KeyFileError."""
    key_files.create(path, _encode(ring))


def with_new_kek(ring: Keyring, known: Collection[int]) -> Keyring:
    """With a key of an epoch behind all that are *known*, unless it has such a one already."""
    if max(ring.keks) > max(known, default=0):
        return ring  # a run that was ended before it could tell of it
    number = max(*ring.keks, *known) + 1
    return replace(ring, keks={**ring.keks, number: new_key()})


def others(ring: Keyring, announced: Mapping[int, str]) -> list[int]:
    """Epochs of which it has a key that is not the one which was announced, by its proof.

    The one that wrapped when it was written is no such: a keyring has to have it.
    """
    keys = ring.keks.items()
    found = [n for n, key in keys if announced.get(n) not in (None, proof(key))]
    return [number for number in found if number != ring.active_kek]


def without_others(ring: Keyring, announced: Mapping[int, str]) -> Keyring:
    """Without the keys of those."""
    gone = others(ring, announced)
    return replace(ring, keks={n: key for n, key in ring.keks.items() if n not in gone})


def without_keks(ring: Keyring, gone: Collection[int], active: int) -> Keyring:
    """Without the epochs that are *gone*; nothing changes where it lacks the *active* one."""
    if active not in ring.keks or active in gone:
        return ring
    left = {epoch: key for epoch, key in ring.keks.items() if epoch not in gone}
    return replace(ring, keks=left, active_kek=active)


def with_sets(ring: Keyring, sets: Mapping[str, KeySet]) -> Keyring:
    """With these sets in the place of its own, by kind."""
    changed: dict[str, Any] = dict(sets)
    return replace(ring, **changed)


def with_new_key(ring: Keyring, kind: str, number: int) -> Keyring:
    """With an announced key of that number, unless it has one: a run was ended before it told."""
    keys = ring.sets[kind]
    if any(key.kid == number for key in keys.keys):
        return ring
    new = new_key()
    with_it = with_sets(ring, {kind: KeySet([*keys.keys, Key(number, KeyState.ANNOUNCED, new)])})
    if kind != handovers.KIND:
        return with_it
    note = handovers.hand_over(keys.secret, new).note
    return replace(with_it, handovers=[*ring.handovers, note])


def new_key() -> Secret:
    """32 bytes that nobody knows."""
    return Secret(secrets.token_bytes(_SIZE))


def _encode(keyring: Keyring) -> bytes:
    document: dict[str, Any] = {
        "format": _FORMAT,
        "active_kek": keyring.active_kek,
        "keks": {str(epoch): _text(key) for epoch, key in keyring.keks.items()},
        "sets": {
            kind: [
                {"kid": key.kid, "state": key.state, "key": key.secret and _text(key.secret)}
                for key in keys.keys
            ]
            for kind, keys in keyring.sets.items()
        },
    }
    if keyring.handovers:
        document[_HANDOVERS] = keyring.handovers
    if keyring.adoption is not Adoption.DONE:
        document[_ADOPTING] = True
    return json.dumps(document, indent=2).encode() + b"\n"


def _decode(document: Any) -> Keyring:
    keks = {int(epoch): _key(value) for epoch, value in document["keks"].items()}
    if document["active_kek"] not in keks:
        raise ValueError
    first = document["format"] == 1
    sets = _sets_of_the_first(document) if first else _sets(document)
    begun = Adoption.BEGUN if document.get(_ADOPTING, False) else Adoption.DONE
    adoption = Adoption.WAITS if first else begun
    notes = [handovers.read(note).note for note in document.get(_HANDOVERS, ())]
    more: dict[str, Any] = {**sets, "adoption": adoption, "handovers": notes}
    return Keyring(keks=keks, active_kek=document["active_kek"], **more)


def _sets(document: Any) -> dict[str, KeySet]:
    if set(document) - {_ADOPTING, _HANDOVERS} != _HEAD or document["format"] != _FORMAT:
        raise ValueError
    if document.get(_ADOPTING, True) is not True:
        raise ValueError
    return {
        kind: KeySet(
            Key(_number(key["kid"]), KeyState(key["state"]), key["key"] and _key(key["key"]))
            for key in keys
        )
        for kind, keys in document["sets"].items()
    }


def _sets_of_the_first(document: Any) -> dict[str, KeySet]:
    """A keyring of the first release: what it holds is the first key of each kind."""
    if set(document) != _FIRST_FIELDS:
        raise ValueError
    sets = {kind: KeySet.of(_key(document[name])) for kind, name in _FIRST.items()}
    # Made of one that every copy has: each machine may write its copy anew, and all must agree.
    marks = hmac.digest(sets["suppression"].secret.reveal(), _MARKS, "sha256")
    return sets | {"marks": KeySet.of(Secret(marks)), "web": KeySet.of(*map(_key, document["web"]))}


def _number(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError
    return value


def _text(key: Secret) -> str:
    return base64.b64encode(key.reveal()).decode()


def _key(value: str) -> Secret:
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError from None
    if len(raw) != _SIZE:
        raise ValueError
    return Secret(raw)
