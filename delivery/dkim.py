"""DKIM signatures (RFC 6376, 8301, 8463): relaxed/relaxed, oversigned, never with l=.

The private-key step is `cryptography`'s, which gives up the GIL; dkimpy, a
second implementation, verifies a probe of every key before it signs real mail.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final, Literal, NamedTuple, NewType, Protocol

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils

from delivery import relaxed
from delivery.errors import SigningError
from storage.secret import Secret

Field = tuple[bytes, bytes]  # name, and the whole field as it is sent: name, colon, value, CRLF
BodyHash = NewType("BodyHash", bytes)
Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

RSA_BITS: Final = 2048  # RFC 8301, section 3.2; larger records do not fit one DNS string

# Named once more than they occur, so that a field added on the way breaks the signature.
OVERSIGNED: Final = (
    b"from",
    b"to",
    b"cc",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
# Signed as often as they occur: relays may add these to a mail that has none.
_SIGNED: Final = (
    b"sender",
    b"content-transfer-encoding",
    b"auto-submitted",
    b"precedence",
    b"feedback-id",
    b"in-reply-to",
    b"references",
)
_PROBED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # any past moment: a probe does not expire
_DNS_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")
_PREHASHED: Final = utils.Prehashed(hashes.SHA256())
_PKCS1: Final = padding.PKCS1v15()


class PrivateKey(Protocol):
    """What a signer needs of a key, wherever it is kept."""

    @property
    def algorithm(self) -> Algorithm:
        """The a= tag."""

    @property
    def public(self) -> str:
        """The p= tag of the DNS record."""

    def sign(self, digest: bytes) -> bytes:
        """Sign the SHA-256 of the header data."""


class SigningKey:
    """A private key in memory, parsed once."""

    def __init__(self, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> None:
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS:
            raise SigningError(f"an RSA key needs {RSA_BITS} bits")
        self._key = key
        # Chosen once: which of these abstract classes a key is of takes microseconds to ask.
        self.algorithm: Algorithm
        self._sign: Callable[[bytes], bytes]
        if isinstance(key, rsa.RSAPrivateKey):
            self.algorithm = "rsa-sha256"
            self._sign = partial(key.sign, padding=_PKCS1, algorithm=_PREHASHED)
        else:
            self.algorithm = "ed25519-sha256"
            self._sign = key.sign  # PureEdDSA over the digest: RFC 8463, section 3

    @classmethod
    def load(cls, pem: Secret) -> SigningKey:
        """Parse an unencrypted PEM, PKCS#8 or PKCS#1; anything else is a `SigningError`.

        Whether its numbers belong together is for `probe` to find out: asking
        OpenSSL, which tests primes, takes thirty milliseconds a key.
        """
        try:
            key = serialization.load_pem_private_key(
                pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True
            )
        except (ValueError, TypeError):
            raise SigningError("not an unencrypted PEM private key") from None
        if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise SigningError("neither an RSA nor an Ed25519 key")
        return cls(key)

    @property
    def public(self) -> str:
        """SubjectPublicKeyInfo for RSA, the 32 raw bytes for Ed25519 (RFC 8463, section 4)."""
        formats = serialization.PublicFormat
        if isinstance(self._key, rsa.RSAPrivateKey):
            encoding, form = serialization.Encoding.DER, formats.SubjectPublicKeyInfo
        else:
            encoding, form = serialization.Encoding.Raw, formats.Raw
        return base64.b64encode(self._key.public_key().public_bytes(encoding, form)).decode()

    def sign(self, digest: bytes) -> bytes:
        return self._sign(digest)


def new_key(algorithm: Algorithm = "rsa-sha256") -> Secret:
    """Make a private key; returns its PEM (PKCS#8)."""
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "rsa-sha256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    return Secret(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def dns_record(selector: str, domain: str, key: PrivateKey) -> tuple[str, str]:
    """The TXT record to publish: name and value. Split it into strings of 255 bytes in a zone."""
    return f"{selector}._domainkey.{domain}", f"v=DKIM1; k={_key_type(key)}; p={key.public}"


class Signer:
    """Signs for one domain under one selector.

    *rewritten* names fields that the relay replaces after us and that may
    therefore not be signed (Amazon SES: message-id and date).
    """

    def __init__(
        self, domain: str, selector: str, key: PrivateKey, rewritten: Iterable[str] = ()
    ) -> None:
        if not _DNS_NAME.fullmatch(domain) or not _DNS_NAME.fullmatch(selector):
            raise SigningError("domain and selector must be DNS names; write an IDN as A-labels")
        self.domain = domain
        self.selector = selector
        self.key = key
        self._rewritten = frozenset(name.lower().encode() for name in rewritten)

    def sign(self, fields: Sequence[Field], body: bytes, now: datetime) -> bytes:
        """Return the DKIM-Signature field, to be put above *fields*, which then must not change."""
        return self.sign_hashed(fields, hash_body(body), now)

    def sign_hashed(self, fields: Sequence[Field], body_hash: BodyHash, now: datetime) -> bytes:
        """As `sign`, for a body whose hash serves several signatures.

        Refuses a mail without exactly one From, and one whose List-Unsubscribe
        and List-Unsubscribe-Post do not come as one pair (RFC 8058, section 4).
        """
        names = tuple([name.lower() for name, _ in fields])
        plan = _plan(names, self._rewritten)
        front = b"".join(
            (
                f"v=1; a={self.key.algorithm}; c=relaxed/relaxed;\r\n d={self.domain};\r\n"
                f" s={self.selector}; t={int(now.timestamp())};\r\n".encode(),
                plan.names,
                b";\r\n bh=",
                body_hash,
                b";\r\n b=",
            )
        )
        signed = relaxed.fields([(names[index], fields[index][1]) for index in plan.order])
        signed += b"dkim-signature:" + relaxed.collapsed(front.replace(b"\r\n", b""))
        signature = self.key.sign(hashlib.sha256(signed).digest())
        return b"".join((b"DKIM-Signature: ", front, _folded(base64.b64encode(signature)), b"\r\n"))


def name_of(signature: bytes) -> str:
    """By its hash, what the key made, of a field as `sign` returns it: no two mails share one."""
    return named(base64.b64decode(signature.rpartition(b" b=")[2]))


def named(value: bytes) -> str:
    """By its hash, what a key made."""
    return f"sha256:{hashlib.sha256(value).hexdigest()}"


def hash_body(body: bytes) -> BodyHash:
    """The bh= tag of a body whose lines end in CRLF, as `compose` leaves them; not checked here.

    A bare CR or LF would be signed and then changed on the way.
    """
    return hash_relaxed(relaxed.body(body))


def hash_relaxed(body: bytes) -> BodyHash:
    """As `hash_body`, of one that is in its relaxed form already."""
    return BodyHash(base64.b64encode(hashlib.sha256(body).digest()))


def verify(message: bytes, records: Mapping[str, str]) -> bool:
    """Let dkimpy judge the topmost signature of *message* against DNS *records* by name.

    dkimpy takes Ed25519 only with PyNaCl; there the last step is `cryptography`'s.
    """
    answers = {name.lower().rstrip("."): value.encode() for name, value in records.items()}

    def answer(name: bytes, timeout: float = 5) -> bytes | None:
        return answers.get(name.decode("ascii", "replace").lower().rstrip("."))

    try:
        return bool(_Verifier(message).verify(dnsfunc=answer))
    except (dkim.DKIMException, ValueError, LookupError):
        return False  # dkimpy raises all three on what is no signed mail


def probe(signer: Signer) -> None:
    """Sign a mail that nobody gets and let dkimpy verify it; raises `SigningError`.

    Done at start for every key, so that a wrong key stops us and not the mail.
    """
    address = f"probe@{signer.domain}"
    fields = [
        (name, b"%s: %s\r\n" % (name, value))
        for name, value in (
            (b"From", f"Probe <{address}>".encode()),
            (b"To", address.encode()),
            (b"Subject", b"probe"),
            (b"Message-ID", f"<{address}>".encode()),
            (b"List-Unsubscribe", b"<https://example.invalid/u>"),
            (b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click"),
        )
    ]
    body = b"A line with spaces \t here  \r\n\r\n"
    signature = signer.sign(fields, body, _PROBED_AT)
    message = b"".join((signature, *(raw for _, raw in fields), b"\r\n", body))
    if not verify(message, dict([dns_record(signer.selector, signer.domain, signer.key)])):
        raise SigningError(f"the probe of {signer.selector} at {signer.domain} does not verify")


class _Plan(NamedTuple):
    """What is the same for every mail of one shape."""

    names: bytes  # the folded h= tag
    order: tuple[int, ...]  # the fields to hash, one after another


@lru_cache(maxsize=256)
def _plan(names: tuple[bytes, ...], rewritten: frozenset[bytes]) -> _Plan:
    count = Counter(names)
    _refuse_unsafe(count)
    listed: list[bytes] = []
    order: list[int] = []
    for name in (*OVERSIGNED, *_SIGNED):
        if name in rewritten:
            continue
        # From the bottom up: RFC 6376, section 5.4.2.
        order += [index for index in reversed(range(len(names))) if names[index] == name]
        listed += [name] * (count[name] + (name in OVERSIGNED))
    return _Plan(_folded_names(listed), tuple(order))


def _refuse_unsafe(count: Counter[bytes]) -> None:
    if count[b"from"] != 1:
        raise SigningError("a mail has exactly one From")
    pair = count[b"list-unsubscribe"], count[b"list-unsubscribe-post"]
    if pair not in ((0, 0), (1, 1)):
        raise SigningError("List-Unsubscribe and List-Unsubscribe-Post come once each, or not")


def _folded_names(listed: Sequence[bytes]) -> bytes:
    lines = [b" h=" + listed[0]]
    for name in listed[1:]:
        if len(lines[-1]) + len(name) > 74:
            lines[-1] += b":"
            lines.append(b"  " + name)
        else:
            lines[-1] += b":" + name
    return b"\r\n".join(lines)


def _folded(signature: bytes) -> bytes:
    return b"\r\n ".join(signature[start : start + 72] for start in range(0, len(signature), 72))


def _key_type(key: PrivateKey) -> str:
    return key.algorithm.partition("-")[0]


class _Ed25519Public:
    """Stands where dkimpy would put PyNaCl's key."""

    def __init__(self, raw: bytes) -> None:
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
        self.accepted = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        try:
            self._key.verify(signature, digest)
        except InvalidSignature:
            return
        self.accepted = True


class _Verifier(dkim.DKIM):  # type: ignore[misc]  # dkimpy has no types
    """dkimpy's verifier, which also judges Ed25519."""

    def verify_sig(self, sig: Any, include_headers: Any, sig_header: Any, dnsfunc: Any) -> bool:
        if sig[b"a"] != b"ed25519-sha256":
            return bool(super().verify_sig(sig, include_headers, sig_header, dnsfunc))
        record = dnsfunc(sig[b"s"] + b"._domainkey." + sig[b"d"] + b".") or b""
        public = re.search(rb"k=ed25519;\s*p=([A-Za-z0-9+/=]+)", record)
        if public is None:
            return False
        key = _Ed25519Public(base64.b64decode(public.group(1)))
        self.pk, self.ktag, self.keysize, self.seqtlsrpt = key, b"ed25519", 256, False
        return bool(self.verify_sig_process(sig, include_headers, sig_header, dnsfunc)) and (
            key.accepted
        )
