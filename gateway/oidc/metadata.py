"""What a provider says of itself (OpenID Connect Discovery 1.0), and its keys. Pure.

Nothing is taken that another could have written: the document names the issuer that was asked
for, and every address in it is https, or this machine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from consent import tokens
from gateway.config.fields import is_private_way
from gateway.oidc.errors import ProviderAway

# Signatures alone: by a secret that both know (HS256), either could have written it.
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519"),
)
MOST_KEYS: Final = 100
_RSA: Final = range(2048, 8192 + 1)  # bits; RFC 7518, section 3.3, and what is not dear to check
_PUBLIC: Final = ("RSA", "EC", "OKP")
# What the library raises for keys and tokens that are none, of its own and of what it is made of.
FAULTS: Final = (
    *(JoseError, UnsupportedAlgorithm),
    *(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
)

SigningKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Described:
    """What is used of a provider's document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    names_itself: bool  # in its answers (RFC 9207): one that lacks it is another's
    basic: bool  # how our secret is shown: by HTTP Basic, or in the body
    challenges: tuple[str, ...] | None  # kinds of PKCE; none: it does not say
    algorithms: tuple[str, ...] | None

    @property
    def origin(self) -> str:
        """Where a form of ours leads to: the browser compares it (Content-Security-Policy)."""
        parts = urlsplit(self.authorization_endpoint)
        return f"{parts.scheme}://{parts.netloc}"


def place_of(issuer: str) -> str:
    """Where a provider describes itself."""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


def read(document: Any, issuer: str) -> Described:
    """Raises `ProviderAway` for what is no such document, or not this provider's."""
    if not isinstance(document, dict):
        raise ProviderAway("no_document")
    if document.get("issuer") != issuer:
        raise ProviderAway("other_issuer")
    places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    said = [_place(document, name) for name in places]
    if None in said:
        raise ProviderAway("no_endpoint")
    authorization, token, keys = map(str, said)
    ways = _words(document, "token_endpoint_auth_methods_supported")
    return Described(
        issuer=issuer,
        authorization_endpoint=authorization,
        token_endpoint=token,
        jwks_uri=keys,
        userinfo_endpoint=_place(document, "userinfo_endpoint"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        basic=ways is None or "client_secret_basic" in ways or "client_secret_post" not in ways,
        challenges=_words(document, "code_challenge_methods_supported"),
        algorithms=_words(document, "id_token_signing_alg_values_supported"),
    )


def keys_of(document: Any) -> list[SigningKey]:
    """The keys that can have signed; those that we do not know are another's business."""
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ProviderAway("no_keys")
    read = [_key(row) for row in rows[:MOST_KEYS]]
    return [key for key in read if key is not None]


def _key(row: Any) -> SigningKey | None:
    if not isinstance(row, dict) or row.get("kty") not in _PUBLIC or "d" in row:
        return None
    if row["kty"] == "RSA" and _bits(row.get("n")) not in _RSA:
        return None
    try:
        key = JWKRegistry.import_key(row)
    except FAULTS:
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _bits(modulus: Any) -> int:
    """How long a number is; nothing for what is none."""
    raw = tokens.decode(modulus) if isinstance(modulus, str) else None
    return int.from_bytes(raw or b"", "big").bit_length()


def _place(document: Mapping[str, Any], name: str) -> str | None:
    """An address of the document; None where it has none that may be used."""
    said = document.get(name)
    if not isinstance(said, str) or not said.isascii() or not said.isprintable() or " " in said:
        return None
    return said if is_private_way(said) and not urlsplit(said).fragment else None


def _words(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    said: Sequence[Any] | None = document.get(name)
    if not isinstance(said, list):
        return None
    return tuple(one for one in said if isinstance(one, str))
