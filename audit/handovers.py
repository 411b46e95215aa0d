"""How one key of the log signs in the next: a statement that both sign. Pure.

Whoever trusts either of the two can go to the other by it. It says nothing of when: that does
the place of the entry that carries it, from which on the older key signs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit import checkpoints
from audit.canonical import decode, encode
from audit.checkpoints import Verifier
from audit.errors import NoteError
from storage.secret import Secret

KIND = "signing"  # as `key.rotated` names what was rotated
STATE = "signed_in"
NAME = "consentgw/handover"  # no log's, so that the statement is no checkpoint to anybody
FORMAT = "consentgw/audit/handover/v1"


@dataclass(frozen=True, slots=True)
class Handover:
    """That *key* follows *before*: raw public keys, and what both signed."""

    before: bytes
    key: bytes
    note: str

    def refs(self, number: int) -> dict[str, str]:
        """As the entry carries it; *number* is that of the new key in the keyring."""
        signatures = [line.rsplit(" ", 1)[-1] for line in self.note.rstrip("\n").split("\n")[-2:]]
        return {
            "kind": KIND,
            "number": str(number),
            "state": STATE,
            "before": encode(self.before),
            "key": encode(self.key),
            "signature": signatures[0],
            "countersignature": signatures[1],
        }


def hand_over(before: Secret, new: Secret) -> Handover:
    """Let the key that signs now sign in another, and that one agree."""
    old_key, new_key = (checkpoints.public(one.reveal()) for one in (before, new))
    text = _text(encode(old_key), encode(new_key))
    first = checkpoints.sign_text(text, NAME, before.reveal())
    second = checkpoints.sign_text(text, NAME, new.reveal())
    return Handover(old_key, new_key, first + second.rpartition("\n\n")[2])


def read(note: str) -> Handover:
    """Read a statement; raises `NoteError` where not both of the keys that it names signed it."""
    lines = note.split("\n")
    if len(lines) < 3 or lines[0] != FORMAT:
        raise NoteError("not a handover")
    keys = []
    for line in lines[1:3]:
        raw = _raw(line)
        if Verifier(checkpoints.vkey_of(NAME, raw)).open(note) != _text(*lines[1:3]):
            raise NoteError("not a handover")
        keys.append(raw)
    return Handover(keys[0], keys[1], note)


def of_refs(refs: Mapping[str, str]) -> Handover | None:
    """What an entry says; None where it tells of nothing of the kind. Raises `NoteError`."""
    if refs.get("kind") != KIND or refs.get("state") != STATE:
        return None
    try:
        text = _text(refs["before"], refs["key"])
        signatures = refs["signature"], refs["countersignature"]
    except KeyError:
        raise NoteError("does not say which key was signed in") from None
    return read(f"{text}\n" + "".join(f"— {NAME} {one}\n" for one in signatures))


def follow(verifier: Verifier, refs: Mapping[str, str], place: int) -> None:
    """Let *verifier*, the first log's, know what the entry at *place* says; raises `NoteError`."""
    found = of_refs(refs)
    if found is not None:
        verifier.follow(found.before, found.key, place)


def _text(before: str, key: str) -> str:
    return f"{FORMAT}\n{before}\n{key}\n"


def _raw(text: str) -> bytes:
    try:
        raw = decode(text)
    except ValueError:
        raise NoteError("not base64") from None
    if len(raw) != 32:
        raise NoteError("not an Ed25519 key")
    return raw
