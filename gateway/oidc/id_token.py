"""Whether an ID token is a provider's word for this browser, now. Pure.

The checks are those of OpenID Connect Core 1.0, section 3.1.3.7.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import GuestProtocol
from joserfc.jws import JWSRegistry

from gateway.oidc.errors import NotBelieved
from gateway.oidc.metadata import ALGORITHMS, FAULTS, SigningKey

LONGEST: Final = 16_384  # characters
LEEWAY: Final = timedelta(seconds=60)  # two clocks
OLDEST: Final = timedelta(minutes=10)  # it was made for this attempt, and none lasts longer
_MOST_OF_A_NAME: Final = 255  # Core, section 2: sub


class _Headers(JWSRegistry):
    """What a header may be: names that we do not know say nothing, unless they are critical."""

    max_header_length = 8192  # some carry their certificates


_HEADERS: Final = _Headers(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody at a provider: never another there, whatever their address becomes."""

    issuer: str
    subject: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """For whom a token must have been made."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)


def check(
    token: str, keys: Sequence[SigningKey], expected: Expected, now: datetime
) -> Mapping[str, Any]:
    """What it says; raises `NotBelieved`, with *why* `key` where none that we have signed it."""
    if len(token) > LONGEST or not token.isascii():
        raise NotBelieved("too_long")
    claims = _signed(token, keys)
    if claims.get("iss") != expected.issuer:
        raise NotBelieved("issuer")
    _check_audience(claims, expected.client_id)
    _check_times(claims, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not _same(nonce, expected.nonce):
        raise NotBelieved("nonce")
    account_of(claims, expected.issuer)
    return claims


def account_of(claims: Mapping[str, Any], issuer: str) -> Account:
    """Whose word a token is."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_OF_A_NAME:
        raise NotBelieved("subject")
    return Account(issuer, subject)


def _signed(token: str, keys: Sequence[SigningKey]) -> Mapping[str, Any]:
    """The claims, where one of these keys signed them by a way that we allow."""
    for key in keys:
        try:
            return jwt.decode(token, partial(_chosen, key), registry=_HEADERS).claims
        except FAULTS:
            continue
    raise NotBelieved("key")


def _chosen(key: SigningKey, token: GuestProtocol) -> SigningKey:
    """This key, unless the token names another; that one is no more than tried."""
    named = token.headers().get("kid")
    if named is not None and named != key.kid:
        raise InvalidKeyIdError
    return key


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """It was made for us; made for others too, it must say that we asked for it."""
    said = claims.get("aud")
    audience = [said] if isinstance(said, str) else said
    if not isinstance(audience, list) or client_id not in audience:
        raise NotBelieved("audience")
    by = claims.get("azp")
    if (by is None and len(audience) > 1) or by not in (None, client_id):
        raise NotBelieved("audience")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    at, leeway = now.timestamp(), LEEWAY.total_seconds()
    ends, made = _moment(claims, "exp"), _moment(claims, "iat")
    if ends <= at - leeway:
        raise NotBelieved("expired")
    if not at - OLDEST.total_seconds() - leeway <= made <= at + leeway:
        raise NotBelieved("issued_at")
    if "nbf" in claims and _moment(claims, "nbf") > at + leeway:
        raise NotBelieved("not_yet")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    said = claims.get(name)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise NotBelieved("times")
    if isinstance(said, float) and not math.isfinite(said):
        raise NotBelieved("times")
    return said


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
