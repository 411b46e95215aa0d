"""The tokens in the links of our mails (docs/formats/tokens.md).

A token is random, or derived from a random handle; it says nothing about the
person, and the database keeps only its hash, of a fresh link a keyed one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Iterable

from storage.secret import Secret

CONFIRM_SIZE = 32
HANDLE_SIZE = 16

_UNSUBSCRIBE = "unsubscribe"
_RUN = re.compile("[A-Za-z0-9_-]+")
_OF_URLS = bytes.maketrans(b"+/", b"-_")
_LONG, _SHORT = 43, 22  # characters of a token of each size


def new_link_token() -> tuple[str, bytes]:
    """Make a token for a link of one service mail; returned with the hash to store."""
    raw = secrets.token_bytes(CONFIRM_SIZE)
    return encode(raw), hashlib.sha256(raw).digest()


def new_handle() -> bytes:
    """Make the handle of one subject and purpose, for ever; keep it sealed."""
    return secrets.token_bytes(HANDLE_SIZE)


def link_token(handle: bytes, route: str) -> str:
    """The token of one kind of link: the handle itself for unsubscribing, else derived from it.

    No server key takes part, so the links of the oldest mail outlive every rotation.
    """
    return link_tokens(handle, (route,))[0]


def link_tokens(handle: bytes, routes: Iterable[str]) -> list[str]:
    """As `link_token`, of each of *routes*."""
    key = Secret(handle)
    # One way: who was forwarded a "why" link must not be able to unsubscribe the person.
    return [
        encode(handle if route == _UNSUBSCRIBE else key.mac(route.encode())[:HANDLE_SIZE])
        for route in routes
    ]


def derived(token: str, route: str) -> str | None:
    """The token of another link of the handle by which one leaves; None for what is no handle."""
    raw = decode(token)
    return link_token(raw, route) if raw is not None and len(raw) == HANDLE_SIZE else None


def cut_out(followed: str) -> str:
    """The token in what somebody followed; links get longer where people and programs copy them.

    A full stop, a bracket, half of an encoding: what cannot belong to a token is
    cut off on both sides, and so is what is too much for one. Nothing is looked up.
    """
    found = _RUN.search(followed)
    run = found[0] if found else ""
    return run[: _LONG if len(run) >= _LONG else _SHORT]


def hash_of(token: str) -> bytes | None:
    """The hash that a token is found by; None for what can never have been one of ours."""
    # A plain hash: nobody guesses 128 random bits, and a key would end links when it rotates.
    raw = decode(token)
    if raw is None or len(raw) not in (CONFIRM_SIZE, HANDLE_SIZE):
        return None
    return hashlib.sha256(raw).digest()


def encode(raw: bytes) -> str:
    """base64url without padding (RFC 4648, section 5)."""
    return binascii.b2a_base64(raw, newline=False).translate(_OF_URLS).rstrip(b"=").decode()


def decode(token: str) -> bytes | None:
    """The bytes of a token, or None; each has exactly one spelling."""
    if not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    # Stray bits behind the last byte, or padding of its own, would be a second spelling.
    return raw if encode(raw) == token else None
