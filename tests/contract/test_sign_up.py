"""Sign-ups that are kept together share a transaction, and neither a refusal nor a limit."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from consent import address
from consent.sign_ups import Asked, SignUp
from gateway.flows.joining import sign_up
from tests.support.apps import ADA, App, open_app
from tests.support.posts import kept, opened


@pytest.fixture
async def alone(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite", limits=True) as made:
        yield made


async def test_sign_ups_that_share_a_commit_share_no_failure(alone: App) -> None:
    posted = [
        sign_up.Posted(one.sign_up, network)
        for network in ["192.0.2.1"] * 61 + ["192.0.2.2"]
        for one in [await _posted(alone)]
    ]

    waits = await sign_up.accept_all(alone.parts, posted)

    assert [wait is None for wait in waits] == [True] * 60 + [False, True]
    assert await kept(alone) == 61


async def test_a_flood_from_one_network_does_not_use_up_the_form(alone: App) -> None:
    one = (await _posted(alone)).sign_up

    await sign_up.accept_all(alone.parts, [sign_up.Posted(one, "192.0.2.1")] * 700)

    assert await sign_up.accept(alone.parts, one, "192.0.2.2") is None


async def test_of_the_network_no_more_is_sealed_than_the_limits_of_an_address_ask_for(
    alone: App,
) -> None:
    one = (await _posted(alone)).sign_up
    for network in ("192.0.2.77", "2001:db8:7:9::/64", "unknown", None):
        await sign_up.accept(alone.parts, one, network)

    kept = await opened(alone)  # of one millisecond: in any order

    networks = sorted(str(form.network) for form in kept)
    assert networks == ["192.0.0.0/16", "2001:db8::/32", "None", "None"]
    origins = [one for form in kept for one in form.origins]
    assert len(set(origins)) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in origins)


async def _posted(app: App) -> sign_up.Posted:
    (text,) = await app.texts("newsletter")
    asked = (Asked("newsletter", text),)
    return sign_up.Posted(SignUp("signup", address.parse(ADA), "en", asked), None)
