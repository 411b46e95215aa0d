"""Which ID tokens are believed; every check fails once, and nothing else than a refusal comes."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.oidc import id_token
from gateway.oidc.errors import NotBelieved
from gateway.oidc.id_token import Expected

NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
OURS = Expected("https://login.example", "desk", "n" * 43)
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, private=True)
PUBLIC = RSAKey.import_key(KEY.as_dict(private=False))
CLAIMS = {
    "iss": OURS.issuer,
    "sub": "u-1",
    "aud": "desk",
    "iat": AT,
    "exp": AT + 300,
    "nonce": OURS.nonce,
}


def token(change: dict[str, Any] | None = None, **header: Any) -> str:
    said = {name: one for name, one in {**CLAIMS, **(change or {})}.items() if one is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1", **header}, said, KEY)


def why(made: str, *keys: Any) -> str:
    with pytest.raises(NotBelieved) as caught:
        id_token.check(made, [*keys] or [PUBLIC], OURS, NOW)
    return caught.value.why


def test_what_the_provider_made_for_us_now_is_believed() -> None:
    assert id_token.check(token(), [PUBLIC], OURS, NOW) == CLAIMS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"iss": "https://evil.example"}, "issuer", id="another issuer"),
        pytest.param({"iss": "https://login.example/"}, "issuer", id="a stroke more"),
        pytest.param({"iss": None}, "issuer", id="no issuer"),
        pytest.param({"aud": "other"}, "audience", id="for another"),
        pytest.param({"aud": ["other"]}, "audience", id="for others"),
        pytest.param({"aud": None}, "audience", id="for nobody"),
        pytest.param({"aud": {"desk": 1}}, "audience", id="for an object"),
        pytest.param({"aud": ["desk", "other"]}, "audience", id="for us too, asked by whom?"),
        pytest.param({"azp": "other"}, "audience", id="asked for by another"),
        pytest.param({"aud": ["desk", "x"], "azp": "x"}, "audience", id="by the other one"),
        pytest.param({"exp": AT - 61}, "expired", id="expired"),
        pytest.param({"exp": None}, "times", id="without an end"),
        pytest.param({"exp": "tomorrow"}, "times", id="an end in words"),
        pytest.param({"exp": float("inf")}, "times", id="an end that never comes"),
        pytest.param({"iat": 10**400}, "issued_at", id="made at the end of days"),
        pytest.param({"exp": True}, "times", id="an end that is a yes"),
        pytest.param({"iat": AT + 61}, "issued_at", id="made tomorrow"),
        pytest.param({"iat": AT - 661}, "issued_at", id="made long ago"),
        pytest.param({"iat": None}, "times", id="made never"),
        pytest.param({"nbf": AT + 61}, "not_yet", id="not yet"),
        pytest.param({"nonce": "m" * 43}, "nonce", id="another attempt's"),
        pytest.param({"nonce": None}, "nonce", id="no attempt's"),
        pytest.param({"nonce": 1}, "nonce", id="a nonce that is no text"),
        pytest.param({"sub": None}, "subject", id="nobody"),
        pytest.param({"sub": ""}, "subject", id="nobody by name"),
        pytest.param({"sub": "x" * 256}, "subject", id="too long a name"),
        pytest.param({"sub": 7}, "subject", id="a number"),
    ],
)
def test_what_is_not_for_us_or_not_of_now_is_not_believed(
    change: dict[str, Any], reason: str
) -> None:
    assert why(token(change)) == reason


@pytest.mark.parametrize(
    "change",
    [
        {"aud": ["desk"]},
        {"aud": ["desk", "other"], "azp": "desk"},
        {"exp": AT - 59},
        {"iat": AT + 59},
        {"nbf": AT + 59},
    ],
)
def test_what_the_standard_allows_is_believed(change: dict[str, Any]) -> None:
    assert id_token.check(token(change), [PUBLIC], OURS, NOW)["sub"] == "u-1"


def test_only_signatures_by_a_published_key_count() -> None:
    other = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    theirs = jwt.encode({"alg": "RS256", "kid": "k1"}, CLAIMS, other)

    assert why(theirs) == "key"
    assert why(token(kid="k2")) == "key"  # names another
    assert why(token()[:-8] + "AAAAAAAA") == "key"
    assert id_token.check(token(), [RSAKey.import_key(other.as_dict()), PUBLIC], OURS, NOW)


def test_nobody_signs_by_nothing_or_by_what_everybody_can_read() -> None:
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    by_mac = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').decode().rstrip("=")
    mac = hmac.digest(PUBLIC.as_pem(private=False), f"{by_mac}.{body}".encode(), "sha256")
    secret = OctKey.import_key({"kty": "oct", "k": "c2VjcmV0LW9mLW91cnMtYWxsLW9mLWl0", "kid": "k1"})
    known = jwt.encode({"alg": "HS256", "kid": "k1"}, CLAIMS, secret, algorithms=["HS256"])

    assert why(f"{head}.{body}.") == "key"
    assert why(f"{by_mac}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}") == "key"
    assert why(known, secret) == "key"


def test_a_key_in_the_token_itself_is_not_taken() -> None:
    thief = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    header = {"alg": "RS256", "kid": "k1", "jwk": thief.as_dict(private=False)}

    assert why(jwt.encode(header, CLAIMS, thief)) == "key"


def test_what_is_critical_and_unknown_is_not_passed_over() -> None:
    header = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "kid": "k1", "crit": ["exp2"], "exp2": 1}).encode()
    )
    _, body, signature = token().split(".")

    assert why(f"{header.decode().rstrip('=')}.{body}.{signature}") == "key"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("PS256", KEY),
        ("ES256", ECKey.generate_key("P-256", {"kid": "k1"}, private=True)),
        ("ES384", ECKey.generate_key("P-384", {"kid": "k1"}, private=True)),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "k1"}, private=True)),
    ],
)
def test_the_other_ways_to_sign_are_read(algorithm: str, key: Any) -> None:
    made = jwt.encode({"alg": algorithm, "kid": "k1"}, CLAIMS, key, algorithms=[algorithm])
    public = type(key).import_key(key.as_dict(private=False))

    assert id_token.check(made, [public], OURS, NOW) == CLAIMS


def test_a_header_that_says_more_than_we_know_says_nothing() -> None:
    made = token(x5c=["A" * 900], typ="JWT")

    assert id_token.check(made, [PUBLIC], OURS, NOW) == CLAIMS


def test_a_token_without_the_name_of_a_key_is_tried_with_all() -> None:
    made = jwt.encode({"alg": "RS256"}, CLAIMS, KEY)
    other = RSAKey.generate_key(2048, {"kid": "k0"})

    assert id_token.check(made, [other, PUBLIC], OURS, NOW) == CLAIMS


@given(some.text(max_size=200) | some.binary(max_size=200).map(lambda raw: f"{raw!r}.{raw!r}.x"))
def test_whatever_comes_is_refused_and_nothing_else(said: str) -> None:
    assert why(said) in {"key", "too_long"}


def test_what_is_longer_than_any_token_is_not_read() -> None:
    assert why("A" * (id_token.LONGEST + 1)) == "too_long"


def test_no_repr_shows_who() -> None:
    account = id_token.account_of(CLAIMS, OURS.issuer)

    assert "u-1" not in repr(account) and OURS.nonce not in repr(OURS)
    assert timedelta() < id_token.LEEWAY <= timedelta(minutes=2)
