"""Asking an identity provider over real HTTP: what is kept, how long, and how little believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from gateway.config.desk import Oidc
from gateway.oidc import handshake
from gateway.oidc.errors import NotBelieved, ProviderAway
from gateway.oidc.provider import Provider
from storage.secret import Secret
from tests.support.clock import START
from tests.support.identity import CLIENT, SECRET, IdP, Somebody, identity_provider
from tests.support.waiting import PATIENCE
from tests.unit.test_handshake import OURS

BACK = "http://gateway.example/dpo/oidc"
MADE = handshake.of(b"s" * 32)
SOON, IN_TIME = (aiohttp.ClientTimeout(total=one) for one in (0.3, PATIENCE))
DOCUMENT, KEYS = "/.well-known/openid-configuration", "/keys"


@pytest.fixture
async def idp() -> AsyncIterator[IdP]:
    async with identity_provider(Somebody("u-1", "privacy@acme.example"), BACK) as provider:
        yield provider


class Seconds:
    """A clock that counts, and stands still until it is told."""

    def __init__(self) -> None:
        self.passed = 1000.0

    def __call__(self) -> float:
        return self.passed


def ours(idp: IdP, **more: Any) -> Oidc:
    facts = {"issuer": idp.url, "client_id": CLIENT, "client_secret": Secret(SECRET.encode())}
    return OURS.model_copy(update=facts | more)


def client(idp: IdP, seconds: Callable[[], float] | None = None, **more: Any) -> Provider:
    return Provider(ours(idp, **more), IN_TIME, seconds or Seconds())


async def code(idp: IdP, provider: Provider) -> str:
    known = await provider.known()
    to = handshake.location(known.described, provider.ours, BACK, MADE)
    async with (
        aiohttp.ClientSession() as session,
        session.get(to, allow_redirects=False) as answer,
    ):
        return dict(
            part.split("=") for part in answer.headers["Location"].split("?")[1].split("&")
        )["code"]


def now() -> datetime:
    return START


async def claims(idp: IdP, provider: Provider) -> Any:
    return await provider.claims(await code(idp, provider), BACK, MADE, now)


async def test_it_is_asked_once_by_however_many_and_again_after_ten_minutes(idp: IdP) -> None:
    provider = client(idp, seconds := Seconds())

    await asyncio.gather(*(provider.known() for _ in range(20)))
    seconds.passed += 599
    await provider.known()
    asked = list(idp.asked)
    seconds.passed += 2
    await provider.known()

    assert asked == [DOCUMENT, KEYS]
    assert idp.asked == asked * 2


async def test_that_it_is_away_is_kept_for_seconds(idp: IdP) -> None:
    provider, idp.how = client(idp, seconds := Seconds()), "fails"
    for _ in range(5):
        with pytest.raises(ProviderAway):
            await provider.known()
    asked, idp.how = list(idp.asked), "well"
    seconds.passed += 21

    assert (await provider.known()).described.issuer == idp.url
    assert asked == [DOCUMENT]


@pytest.mark.parametrize("how", ["hangs", "fails", "wanders", "talks"])
async def test_one_that_misbehaves_is_away(idp: IdP, how: str) -> None:
    provider, idp.how = Provider(ours(idp), SOON, Seconds()), how

    with pytest.raises(ProviderAway):
        await provider.known()

    assert "/elsewhere" not in idp.asked


@pytest.mark.parametrize("ways", [None, ["client_secret_post"]], ids=["basic", "post"])
async def test_a_code_becomes_claims(idp: IdP, ways: Any) -> None:
    idp.described = {"token_endpoint_auth_methods_supported": ways}

    assert (await claims(idp, client(idp)))["sub"] == "u-1"


async def test_a_wrong_secret_is_refused_there(idp: IdP) -> None:
    provider = client(idp, client_secret=Secret(b"wrong"))

    with pytest.raises(NotBelieved, match="refused"):
        await claims(idp, provider)


async def test_new_keys_are_learnt_once_and_no_more_often(idp: IdP) -> None:
    provider = client(idp, seconds := Seconds())
    await claims(idp, provider)
    idp.rotate("k2")
    seconds.passed += 11
    idp.asked.clear()

    assert (await claims(idp, provider))["sub"] == "u-1"
    assert idp.asked.count(KEYS) == 1
    idp.published = []  # signed by what it never shows
    idp.rotate("k3")
    for _ in range(3):
        with pytest.raises(NotBelieved, match="key"):
            await claims(idp, provider)
    assert idp.asked.count(KEYS) == 1


async def test_a_key_that_was_taken_back_signs_nothing_once_that_is_known(idp: IdP) -> None:
    provider = client(idp, seconds := Seconds())
    await claims(idp, provider)
    idp.published = []
    seconds.passed += 601

    with pytest.raises(NotBelieved, match="key"):
        await claims(idp, provider)


async def test_more_claims_are_another_accounts_nowhere(idp: IdP) -> None:
    idp.claims, idp.told = {"email": None}, {"sub": "u-2", "email": "x@acme.example"}

    with pytest.raises(NotBelieved, match="subject"):
        await claims(idp, client(idp))


async def test_what_the_token_says_is_not_overruled_by_more(idp: IdP) -> None:
    idp.claims = {"email": None, "email_verified": False}
    idp.told = {"email": "privacy@acme.example", "email_verified": True, "iss": "x"}

    said = await claims(idp, client(idp))

    assert (said["email_verified"], said["iss"]) == (False, idp.url)


@pytest.mark.parametrize("token", ["", "x", "a.b.c"], ids=["empty", "a letter", "dots"])
async def test_an_answer_without_a_token_of_its_own_is_not_believed(idp: IdP, token: str) -> None:
    provider = client(idp)
    made = await code(idp, provider)
    idp.token = token

    with pytest.raises(NotBelieved):
        await provider.claims(made, BACK, MADE, now)
