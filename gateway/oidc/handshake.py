"""One attempt to sign in, from one secret that the browser alone keeps. Pure.

State, nonce and PKCE verifier are derived from it, so the gateway remembers nothing of an attempt
that nobody brings back: there is no table that a stranger could fill.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from consent import tokens
from gateway.config.desk import Oidc
from gateway.oidc.metadata import Described

SEED_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Handshake:
    """What goes to the provider, and what comes back or stays here."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)  # RFC 7636: 43 characters

    @property
    def challenge(self) -> str:
        return tokens.encode(hashlib.sha256(self.verifier.encode()).digest())


def of(seed: bytes) -> Handshake:
    """The attempt of one secret; none of the three tells of another."""
    made = (hmac.digest(seed, part, "sha256") for part in (b"state", b"nonce", b"verifier"))
    return Handshake(*map(tokens.encode, made))


def location(described: Described, ours: Oidc, redirect_uri: str, made: Handshake) -> str:
    """Where a browser goes to be asked who sits there."""
    fields = {
        "response_type": "code",
        "client_id": ours.client_id,
        "redirect_uri": redirect_uri,
        "scope": scope(ours),
        "state": made.state,
        "nonce": made.nonce,
        "code_challenge": made.challenge,
        "code_challenge_method": "S256",
    }
    endpoint = described.authorization_endpoint
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(fields)}"


def scope(ours: Oidc) -> str:
    """No more than what the claims that are read need."""
    return "openid email" if ours.address_claim == "email" else "openid email profile"


def is_of(made: Handshake, state: str) -> bool:
    """Whether what came back belongs to this browser's attempt."""
    return hmac.compare_digest(made.state.encode(), state.encode(errors="replace"))
