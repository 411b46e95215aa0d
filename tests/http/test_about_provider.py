"""What `gateway doctor` says of the identity provider, and what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.config import Config
from gateway.config.desk import Desk
from gateway.watch import about_provider
from gateway.watch.findings import Level
from storage.secret import Secret
from tests.support.apps import configuration
from tests.support.identity import CLIENT, IdP, Somebody, identity_provider
from tests.unit.test_handshake import OURS

BACK = "http://gateway.example/dpo/oidc"


@pytest.fixture
async def idp() -> AsyncIterator[IdP]:
    async with identity_provider(Somebody("u-1", "privacy@acme.example"), BACK) as provider:
        yield provider


def config(directory: Path, issuer: str | None) -> Config:
    urls = (f"sqlite:///{directory}/a.db", f"sqlite:///{directory}/b.db")
    loaded = configuration(directory, urls)
    facts = {"issuer": issuer, "client_id": CLIENT, "client_secret": Secret(b"secret-of-ours")}
    oidc = None if issuer is None else OURS.model_copy(update=facts)
    return loaded.model_copy(update={"desk": Desk(oidc=oidc)})


async def test_without_a_provider_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert await about_provider.about(config(tmp_path, None)) == []


async def test_one_that_answers_is_well_and_the_redirect_uri_is_named(
    tmp_path: Path, idp: IdP
) -> None:
    (found,) = await about_provider.about(config(tmp_path, idp.url))

    assert found.level is Level.OK
    assert idp.url in found.text and found.text.endswith(BACK)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        pytest.param({"issuer": "https://x.example"}, "calls itself otherwise", id="issuer"),
        pytest.param({"token_endpoint": None}, "names no", id="endpoint"),
        pytest.param({"jwks_uri": "http://x.example/k"}, "names no", id="in the clear"),
        pytest.param({"code_challenge_methods_supported": ["plain"]}, "S256", id="proof"),
        pytest.param(
            {"id_token_signing_alg_values_supported": ["HS256"]}, "no algorithm", id="algorithm"
        ),
    ],
)
async def test_what_is_wrong_is_named_with_the_way_out(
    tmp_path: Path, idp: IdP, described: dict[str, Any], said: str
) -> None:
    idp.described = described

    (found,) = await about_provider.about(config(tmp_path, idp.url))

    assert found.level is Level.FAIL
    assert said in found.text and found.fix
    assert "secret-of-ours" not in f"{found}"


async def test_one_without_keys_is_named(tmp_path: Path, idp: IdP) -> None:
    idp.published = []

    (found,) = await about_provider.about(config(tmp_path, idp.url))

    assert found.level is Level.FAIL and "no key" in found.text


async def test_one_that_is_away_is_a_warning_since_the_mail_works(tmp_path: Path, idp: IdP) -> None:
    idp.how = "fails"

    (found,) = await about_provider.about(config(tmp_path, idp.url))

    assert found.level is Level.WARN
    assert "/.well-known/openid-configuration" in found.text and "mailed link" in found.fix
