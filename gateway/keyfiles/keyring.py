"""The keys that no database holds: one JSON file, mode 0600, made once."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import KeyFileError
from gateway.keyfiles import key_files
from storage.secret import Secret

_FORMAT = 1
_SIZE = 32
_SINGLE = (
    "blind_index",
    "suppression",
    "audit_mac",
    "consent_mac",
    "fingerprint",
    "signing_seed",
)
_FIELDS = {"format", "active_kek", "keks", "web", *_SINGLE}


@dataclass(frozen=True)
class Keyring:
    """Every key outside the databases, each for one use; 32 random bytes each."""

    keks: Mapping[int, Secret]  # by epoch; they wrap the data keys in the key store
    active_kek: int  # the epoch that wraps new data keys
    blind_index: Secret  # address -> look-up index
    suppression: Secret  # address -> hash in the suppression list
    audit_mac: Secret  # rows of the audit log
    consent_mac: Secret  # rows of consents
    fingerprint: Secret  # bodies behind idempotency keys
    signing_seed: Secret  # Ed25519, signs checkpoints
    web: tuple[Secret, ...]  # form stamps and cookies; oldest to newest


def create(path: Path) -> Keyring:
    """Make new keys and store them at *path*, durable before it returns.

    Never overwrites: raises KeyFileError when anything is there.
    """
    keyring = Keyring(
        keks={1: _new_key()},
        active_kek=1,
        web=(_new_key(),),
        **{name: _new_key() for name in _SINGLE},
    )
    key_files.create(path, _encode(keyring))
    return keyring


def load(path: Path) -> Keyring:
    """Read the keyring; raises KeyFileError when it is missing, open to others or damaged."""
    raw = key_files.read(path)
    try:
        return _decode(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The reason could quote the file.
        raise KeyFileError(f"{path} is damaged or of another release") from None


def _new_key() -> Secret:
    return Secret(secrets.token_bytes(_SIZE))


def _encode(keyring: Keyring) -> bytes:
    document = {
        "format": _FORMAT,
        "active_kek": keyring.active_kek,
        "keks": {str(epoch): _text(key) for epoch, key in keyring.keks.items()},
        "web": [_text(key) for key in keyring.web],
        **{name: _text(getattr(keyring, name)) for name in _SINGLE},
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _decode(document: Any) -> Keyring:
    if set(document) != _FIELDS or document["format"] != _FORMAT:
        raise ValueError
    keks = {int(epoch): _key(value) for epoch, value in document["keks"].items()}
    web = tuple(_key(value) for value in document["web"])
    if document["active_kek"] not in keks or not web:
        raise ValueError
    singles = {name: _key(document[name]) for name in _SINGLE}
    return Keyring(keks=keks, active_kek=document["active_kek"], web=web, **singles)


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
