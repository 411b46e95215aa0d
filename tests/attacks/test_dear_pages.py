"""Pages that cost us far more than asking for them: who asks often would hold up everybody."""

from __future__ import annotations

import time

import pytest

from gateway.process import routes
from tests.support.apps import App

# What anybody can ask for without a link; `readyz` waits for the stores, and takes no time itself.
ASKED = sorted(
    {"/forms/signup", "/forms/signup.js", "/forms/signup.json", "/problems/invalid"}
    | {one.path for one in (*routes.PAGES, *routes.OWN_PAGES, *routes.OPERATIONS)} - {"/readyz"}
)
TIMES = 20


async def cost(app: App, path: str) -> float:
    """The least of the processor's time that asking and answering take, once it was asked"""
    taken = []
    for _ in range(TIMES):
        begun = time.process_time()
        async with app.http.get(path) as answer:
            await answer.read()
        taken.append(time.process_time() - begun)
    return min(taken[1:])


@pytest.mark.parametrize("path", [path for path in ASKED if "{" not in path])
async def test_no_page_that_anybody_can_ask_for_is_dear(app: App, path: str) -> None:
    usual = await cost(app, "/my-data")

    assert await cost(app, path) < 5 * usual
