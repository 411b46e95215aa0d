"""Signatures of mails that come back: what each says, and whether it is by a key of ours. Pure.

Only what our own signer writes is read (`dkim.Signer`): anything else cannot be by us.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils

from delivery import dkim, relaxed
from delivery.dkim import OVERSIGNED, Field

_NAME: Final = b"dkim-signature"
_MOST: Final = 20  # signatures of one mail that are looked at
_MOST_NAMES: Final = 100  # that one covers; ours have some thirty
_OURS: Final = {b"v": b"1", b"c": b"relaxed/relaxed"}
_RECORD: Final = re.compile(r"v=DKIM1; k=(rsa|ed25519); p=([A-Za-z0-9+/]+={0,2})")
_TAG: Final = re.compile(rb" ?([a-z]+) ?= ?([^;]*)")
_SECONDS: Final = re.compile(rb"[0-9]{1,11}")
_PKCS1: Final = padding.PKCS1v15()


class Key:
    """A public half, as the DNS record of its selector has it."""

    def __init__(self, domain: str, selector: str, record: str) -> None:
        """Raises ValueError for a record that is none of ours."""
        found = _RECORD.fullmatch(record)
        if found is None:
            raise ValueError("is no DKIM record")
        raw = base64.b64decode(found[2], validate=True)
        self.domain, self.selector, self.record = domain, selector, record
        self.fingerprint = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self._public: object = (
            serialization.load_der_public_key(raw)
            if found[1] == "rsa"
            else ed25519.Ed25519PublicKey.from_public_bytes(raw)
        )

    def holds(self, digest: bytes, value: bytes) -> bool:
        """Whether it signed this digest."""
        try:
            if isinstance(self._public, rsa.RSAPublicKey):
                self._public.verify(value, digest, _PKCS1, utils.Prehashed(hashes.SHA256()))
            elif isinstance(self._public, ed25519.Ed25519PublicKey):
                self._public.verify(value, digest)
            else:
                return False
        except InvalidSignature:
            return False
        return True

    def made(self, value: bytes) -> bool:
        """Whether it made this signature, over whatever; of an Ed25519 one nobody can tell.

        An RSA signature holds the digest in a frame that only the private key puts around it.
        """
        if not isinstance(self._public, rsa.RSAPublicKey):
            return False
        try:
            self._public.recover_data_from_signature(value, _PKCS1, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature field as our signer writes it."""

    domain: str
    selector: str
    signed_at: datetime | None
    names: tuple[bytes, ...]  # of the fields that it covers, as h= has them
    body_hash: bytes
    value: bytes
    front: bytes  # the field itself as it is hashed
    raw: bytes

    def covers(self, name: bytes) -> bool:
        return name in self.names

    def counts(self) -> dict[bytes, int]:
        """How often each field stood in the mail that was signed, as it says itself."""
        told = Counter(self.names)
        return {name: told[name] - (name in OVERSIGNED) for name in told}

    def holds(self, fields: Sequence[Field], key: Key) -> bool:
        """Whether *key* signed these fields, and with them this body hash."""
        left: dict[bytes, list[bytes]] = {}
        for name, raw in fields:
            left.setdefault(name, []).append(raw)
        # From the bottom up: RFC 6376, section 5.4.2.
        chosen = ((name, left[name].pop()) for name in self.names if left.get(name))
        signed = b"".join(relaxed.field(name, raw) for name, raw in chosen) + self.front
        return key.holds(hashlib.sha256(signed).digest(), self.value)


def of(fields: Sequence[Field]) -> Iterator[Signature]:
    """The signatures of a mail that our signer may have written, topmost first."""
    raw = [one for name, one in fields if name == _NAME][:_MOST]
    yield from (found for one in raw if (found := _read(one)) is not None)


def named(fields: Sequence[Field]) -> list[str]:
    """Whose signatures a mail bears, by their domains, in their order."""
    raw = [one for name, one in fields if name == _NAME][:_MOST]
    told = (_tags(relaxed.field(_NAME, one)).get(b"d", b"") for one in raw)
    return [one.decode("ascii", "replace").lower() for one in told]


def by_another_program(fields: Sequence[Field], body: bytes, one: Signature, key: Key) -> bool:
    """Whether dkimpy, too, says that *key* signed this.

    It is given the relaxed body: on long runs of blanks it takes the square of their length.
    """
    others = b"".join(raw for name, raw in fields if name != _NAME)
    record = {f"{one.selector}._domainkey.{one.domain}": key.record}
    return dkim.verify(one.raw + others + b"\r\n" + relaxed.body(body), record)


def _tags(whole: bytes) -> dict[bytes, bytes]:
    """The tags of a relaxed field; of one that comes twice nothing is believed."""
    found: dict[bytes, bytes] = {}
    for part in whole.partition(b":")[2].removesuffix(b"\r\n").split(b";"):
        tag = _TAG.fullmatch(part)
        if tag is None or tag[1] in found:
            return {} if part.strip() else found
        found[tag[1]] = tag[2].rstrip(b" ")
    return found


def _read(raw: bytes) -> Signature | None:
    whole = relaxed.field(_NAME, raw).removesuffix(b"\r\n")
    tags = _tags(whole)
    front, found, value = whole.rpartition(b"; b=")
    names = tags.get(b"h", b"").split(b":")
    if not found or len(names) > _MOST_NAMES or not _OURS.items() <= tags.items() or b"l" in tags:
        return None
    try:
        at = tags.get(b"t", b"")
        return Signature(
            domain=tags[b"d"].decode("ascii").lower(),
            selector=tags[b"s"].decode("ascii").lower(),
            signed_at=datetime.fromtimestamp(int(at), UTC) if _SECONDS.fullmatch(at) else None,
            names=tuple(name.strip(b" ").lower() for name in names),
            body_hash=base64.b64decode(tags[b"bh"].replace(b" ", b"")),
            value=base64.b64decode(value.replace(b" ", b"")),
            front=front + found,
            raw=raw,
        )
    except (KeyError, ValueError, OverflowError, OSError):
        return None
