"""Sign-ups that a back end passes on for its visitors."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import GRACE, call, pointers


async def test_a_back_end_signs_people_up(app: App) -> None:
    key = await app.key(Scope.SIGNUPS_CREATE)
    body = await app.posted(form="signup", visitor_network="2001:db8::7")

    status, answer = await call(app, key, "POST", "/v1/signups", body)
    robot = await call(app, key, "POST", "/v1/signups", body | {"homepage": "x", "email": GRACE})

    assert (status, answer) == (202, {"status": "accepted"})
    assert robot == (status, answer)
    (mail,) = await app.deliver()
    assert mail.to == ADA


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"form": "nothing"}, "/form"),
        ({"form": None}, "/form"),
        ({"visitor_network": "here"}, "/visitor_network"),
        ({"visitor_network": "192.0.2.0/99"}, "/visitor_network"),
        ({"texts": []}, "/texts"),
        ({"purposes": ["elsewhere"]}, "/purposes/0"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_field_of_a_back_ends_sign_up_is_named(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    key = await embedded.key(Scope.SIGNUPS_CREATE)
    body = await embedded.posted(form="signup") | change

    assert pointer in await pointers(embedded, key, "/v1/signups", body)


async def test_the_limits_of_a_back_end_are_its_visitors(limited: App) -> None:
    key = await limited.key(Scope.SIGNUPS_CREATE)
    body = await limited.posted(form="signup")

    async def post(network: str | None) -> int:
        said = body if network is None else body | {"visitor_network": network}
        return (await call(limited, key, "POST", "/v1/signups", said))[0]

    statuses = [await post(f"2001:db8::{n}") for n in range(61)]

    assert statuses == [202] * 60 + [429], "addresses of one household are one visitor"
    assert await post("2001:db8::/120") == 429
    assert await post("2001:db8:0:1::1") == 202
    assert await post("192.0.2.7") == 202
    assert await post(None) == 202


async def test_a_key_signs_up_for_its_own_purposes_only(embedded: App) -> None:
    key = await embedded.key(Scope.SIGNUPS_CREATE, purposes=["newsletter"])
    own = await embedded.posted(form="signup")
    other = await embedded.posted(ADA, "updates", form="signup")

    assert (await call(embedded, key, "POST", "/v1/signups", own))[0] == 202
    status, problem = await call(embedded, key, "POST", "/v1/signups", other)
    assert (status, problem["type"]) == (403, "/problems/outside-key")
