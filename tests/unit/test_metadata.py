"""What is taken of a provider's document, and of its keys, and what is not."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from gateway.oidc import metadata
from gateway.oidc.errors import ProviderAway
from tests.unit.test_handshake import SAID

ISSUER = "https://login.example"


def test_the_place_of_the_document_is_the_issuers() -> None:
    there = "https://login.example/.well-known/openid-configuration"

    assert metadata.place_of(ISSUER) == metadata.place_of(f"{ISSUER}/") == there


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"issuer": "https://login.example/"}, "other_issuer", id="a stroke more"),
        pytest.param({"issuer": "https://evil.example"}, "other_issuer", id="another's"),
        pytest.param({"issuer": None}, "other_issuer", id="nobody's"),
        pytest.param({"token_endpoint": None}, "no_endpoint", id="no token endpoint"),
        pytest.param({"token_endpoint": ["x"]}, "no_endpoint", id="no text"),
        pytest.param({"jwks_uri": "http://login.example/keys"}, "no_endpoint", id="in the clear"),
        pytest.param({"jwks_uri": "file:///etc/passwd"}, "no_endpoint", id="a file"),
        pytest.param({"token_endpoint": "https://a.example/\r\nx"}, "no_endpoint", id="two lines"),
        pytest.param({"authorization_endpoint": "https://a.example/#x"}, "no_endpoint", id="#"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, "no_endpoint", id="script"),
    ],
)
def test_a_document_that_is_not_this_providers_is_none(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ProviderAway) as caught:
        metadata.read({**SAID, **change}, ISSUER)

    assert caught.value.why == why


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_document_is_said_to_be_none(document: Any) -> None:
    with pytest.raises(ProviderAway, match="no_document"):
        metadata.read(document, ISSUER)
    with pytest.raises(ProviderAway, match="no_keys"):
        metadata.keys_of(document)


def test_where_a_form_leads_is_the_origin_alone() -> None:
    said = {**SAID, "authorization_endpoint": "https://login.example:8443/a?b=c"}

    assert metadata.read(said, ISSUER).origin == "https://login.example:8443"


@pytest.mark.parametrize(
    ("ways", "basic"),
    [
        (None, True),
        (["client_secret_basic", "client_secret_post"], True),
        (["client_secret_post"], False),
        (["private_key_jwt"], True),
    ],
)
def test_our_secret_is_shown_as_the_provider_takes_it(ways: Any, basic: bool) -> None:
    said = {**SAID, "token_endpoint_auth_methods_supported": ways}

    assert metadata.read(said, ISSUER).basic is basic


def test_keys_that_nobody_should_sign_with_are_none() -> None:
    good = [
        RSAKey.generate_key(2048, {"kid": "rsa"}, private=True).as_dict(private=False),
        ECKey.generate_key("P-256", {"kid": "ec"}, private=True).as_dict(private=False),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, private=True).as_dict(private=False)
    bad: list[Any] = [
        short,
        OctKey.generate_key(256).as_dict(private=True),
        RSAKey.generate_key(2048, private=True).as_dict(private=True),  # anybody has it now
        {"kty": "RSA", "n": "x", "e": 3},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "AKP"},
        {"kty": ["RSA"]},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": ["AA"]},
        "x",
        None,
    ]

    read = metadata.keys_of({"keys": [*bad, *good]})

    assert [one.kid for one in read] == ["rsa", "ec"]


def test_no_more_keys_are_read_than_anybody_has() -> None:
    key = ECKey.generate_key("P-256", private=True).as_dict(private=False)

    assert len(metadata.keys_of({"keys": [key] * 1000})) == metadata.MOST_KEYS
