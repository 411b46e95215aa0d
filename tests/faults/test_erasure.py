"""An erasure that fails between any two of its steps is finished, and takes effect once."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from consent.keys.vault import Compartment
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from tests.support.apps import App
from tests.support.calls import call, queue
from tests.support.gaps import gap

_numbers = count(1)


@pytest.fixture(params=[False, True], ids=["did-not-happen", "did-happen"])
def happened(request: pytest.FixtureRequest) -> bool:
    did: bool = request.param
    return did


async def somebody(app: App) -> str:
    """Who agreed and has a mail waiting; their id."""
    email = f"person{next(_numbers)}@example.org"
    await app.subscribe(email)
    await queue(app, email, text="Hello.")
    subject = await app.subject(email)
    assert subject is not None
    return subject


async def erase(app: App, key: dict[str, str], subject: str) -> tuple[int, Any]:
    return await call(app, key, "POST", "/v1/erasures", {"subject_id": subject})


@pytest.mark.parametrize("store", ["data", "key_database"])
async def test_an_erasure_is_answered_once_it_stands_and_ends_once(
    app: App, happened: bool, store: str
) -> None:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    for at in count(1):
        subject = await somebody(app)
        with gap(getattr(app.parts, store), at, happened=happened) as one:
            status, begun = await erase(app, key, subject)
        # Once that is so it is answered: the steps behind that are a duty's.
        # First in either store: that it stands, and that the guard's store has it.
        assert status == 202 or (status == 503 and at == 1), begun

        status, again = await erase(app, key, subject)
        await duties(app)

        assert status == 202
        assert await app.send_due() == []
        assert (subject, Compartment.PROFILE) not in await app.parts.keystore.held([subject])
        _, shown = await call(app, key, "GET", f"/v1/erasures/{again['erasure_id']}")
        assert shown["state"] == "done"
        found = await verify(app.parts)
        assert found.ok, [*found.report.findings, *found.rows]
        if not one.reached:
            break
    assert at > 1


async def duties(app: App) -> None:
    await app.tick()
    rules = RetentionRules(app.parts)
    await rules.erasures()
    await app.tick()
