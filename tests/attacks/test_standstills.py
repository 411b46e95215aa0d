"""A node that stands still, or sleeps with its machine, while the others go on."""

from __future__ import annotations

import inspect
import time
from datetime import timedelta

import pytest

from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from delivery import worker
from gateway.process import duties
from storage.clock import elapsed
from storage.keysets import KeySet
from tests.support.apps import ADA, App, start_app
from tests.support.keys import Stopwatch


@pytest.mark.parametrize("path", ["/forms/signup", "/my-data"])
async def test_nothing_is_acknowledged_under_a_key_that_went_meanwhile(
    app: App, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 10: what was answered 202 is worked off, also where its node stood still for long."""
    async with start_app(app.parts.config, app.parts.clock) as node:
        keystore, watch = node.parts.keystore, Stopwatch()
        keystore._intake._monotonic = watch
        taken = keystore.intake_key

        async def standing_still(now: object) -> object:
            key = await taken(now)  # type: ignore[arg-type]  # as it was given
            watch.seconds += 3600
            at = app.parts.clock.wall()
            await app.parts.keystore.erase(["sub_gone"], [Compartment.PROFILE], at)
            app.step(timedelta(hours=1))
            await duties.sweep(app.parts)
            assert await app.parts.keystore.known_intake_keys([key[0]]) == set()  # type: ignore[index]
            return key

        monkeypatch.setattr(keystore, "intake_key", standing_still)
        data = {"email": ADA}
        if path != "/my-data":
            data |= {"purpose": "newsletter", "text": (await node.texts("newsletter"))[0]}
        answer = await node.http.post(path, data=data, allow_redirects=False)

    assert answer.status == 503


def test_what_ends_in_time_ends_while_the_machine_sleeps_too() -> None:
    """No clock that stops with the machine tells how fresh a key is, or whether MAIL may begin."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)

    for keeper in (KeySet, KeyStore):
        assert inspect.signature(keeper).parameters["monotonic"].default is elapsed
    assert vars(worker)["elapsed"] is elapsed
