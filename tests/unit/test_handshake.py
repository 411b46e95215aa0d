"""An attempt at the identity provider: what leaves, and that one part tells of no other."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.config import config
from gateway.config.desk import Desk, Oidc
from gateway.errors import ConfigError
from gateway.oidc import handshake, metadata
from storage.secret import Secret

OURS = Oidc.model_construct(
    issuer="https://login.example",
    client_id="desk",
    client_secret=None,
    name="Login",
    address_claim="email",
    verified_claim="email_verified",
)
SAID = {
    "issuer": "https://login.example",
    "authorization_endpoint": "https://login.example/authorize",
    "token_endpoint": "https://login.example/token",
    "jwks_uri": "https://login.example/keys",
}
DESCRIBED = metadata.read(SAID, "https://login.example")
BACK = "https://mail.example/dpo/oidc"


def test_what_leaves_asks_for_a_code_with_state_nonce_and_proof() -> None:
    made = handshake.of(b"s" * 32)

    asked = parse_qs(urlsplit(handshake.location(DESCRIBED, OURS, BACK, made)).query)

    proof = base64.urlsafe_b64encode(hashlib.sha256(made.verifier.encode()).digest())
    assert asked == {
        "response_type": ["code"],
        "client_id": ["desk"],
        "redirect_uri": [BACK],
        "scope": ["openid email"],
        "state": [made.state],
        "nonce": [made.nonce],
        "code_challenge": [proof.decode().rstrip("=")],
        "code_challenge_method": ["S256"],
    }
    assert made.verifier not in str(asked)


def test_the_same_secret_makes_the_same_attempt_and_another_one_another() -> None:
    made, other = handshake.of(b"s" * 32), handshake.of(b"t" * 32)

    assert handshake.of(b"s" * 32) == made
    parts = {made.state, made.nonce, made.verifier, other.state, other.nonce, other.verifier}
    assert len(parts) == 6
    assert all(43 <= len(one) <= 128 for one in parts)  # RFC 7636, section 4.1


@pytest.mark.parametrize("state", ["", "x", "ä\ud800"])
def test_a_state_of_another_is_not_ours(state: str) -> None:
    made = handshake.of(b"s" * 32)

    assert handshake.is_of(made, made.state)
    assert not handshake.is_of(made, state)


def test_a_query_that_the_provider_has_stays() -> None:
    there = replace(DESCRIBED, authorization_endpoint="https://login.example/authorize?tenant=1")

    to = handshake.location(there, OURS, BACK, handshake.of(b"s" * 32))

    assert to.startswith("https://login.example/authorize?tenant=1&response_type=code&")


def test_more_is_asked_for_only_where_another_claim_is_read() -> None:
    other = OURS.model_copy(update={"address_claim": "upn"})

    assert handshake.scope(other) == "openid email profile"


_SECTION = '[desk.oidc]\nissuer = "{issuer}"\nclient_id = "desk"\nname = "{name}"\n{more}\n'


def parsed(directory: Path, issuer: str, name: str = "Login", more: str = "") -> Desk:
    said = _SECTION.format(issuer=issuer, name=name, more=more)
    return config.parse(f"{config.embedded_default()}\n{said}", base=directory).desk


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example",
        "https://login.example/",
        "https://login.example:8443/realms/x",
        "http://127.0.0.1:9000",
        "http://localhost:9000/a",
        "http://[::1]:9000",
    ],
)
def test_an_issuer_is_kept_as_it_is_written(tmp_path: Path, issuer: str) -> None:
    desk = parsed(tmp_path, issuer)

    assert desk.oidc is not None and desk.oidc.issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("http://login.example", "must be https"),
        ("http://127.0.0.1.example", "must be https"),
        ("https://login.example?x=1", "issuer"),
        ("https://login.example?", "issuer"),
        ("https://login.example#x", "issuer"),
        ("https://me@login.example", "issuer"),
        ("login.example", "issuer"),
        ("file:///etc", "issuer"),
    ],
)
def test_an_issuer_that_is_none_or_in_the_clear_stops_the_start(
    tmp_path: Path, issuer: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(tmp_path, issuer)

    (problem,) = raised.value.problems
    assert problem.startswith("desk.oidc.issuer: ") and said in problem


def test_the_clients_secret_stands_elsewhere_and_shows_nowhere(tmp_path: Path) -> None:
    (tmp_path / "oidc").write_text("hunter2\n")
    issuer = "https://login.example"

    desk = parsed(tmp_path, issuer, more='client_secret_file = "oidc"')
    with pytest.raises(ConfigError) as raised:
        parsed(tmp_path, issuer, more='client_secret = "hunter2"')

    assert desk.oidc is not None and desk.oidc.client_secret == Secret(b"hunter2")
    assert "hunter2" not in repr(desk) + str(raised.value)
    assert "client_secret_file or client_secret_env" in str(raised.value)


def test_what_stands_on_a_button_is_short(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"desk\.oidc\.name"):
        parsed(tmp_path, "https://login.example", name="x" * 61)
