"""HTML that would swallow our footer, or hold up everybody's mail."""

from __future__ import annotations

import asyncio
import threading
import time
from email import message_from_bytes, policy
from typing import Any

import pytest

from delivery import markup
from delivery.plain_text import plain_text
from gateway.api import messages
from gateway.process.desk import Desk
from tests.support.apps import ADA, App
from tests.support.hostile_markup import CASES, SEEDS
from tests.support.waiting import PATIENCE, until

UNENDED = {name for name, source in CASES.items() if markup.read(source).flaw is not None}


@pytest.fixture
def app(limited: App) -> App:
    return limited


def letter(**said: Any) -> dict[str, Any]:
    return {"to": {"email": ADA}, "purpose": "newsletter", "content": said}


async def test_html_in_which_the_footer_could_be_lost_is_refused_or_ends_with_it(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key()
    for name, source in CASES.items():
        body = letter(subject=name, html=source)
        async with app.http.post("/v1/messages", json=body, headers=key) as answer:
            told = await answer.json()
            assert (name, answer.status) == (name, 422 if name in UNENDED else 202)
        if name in UNENDED:
            assert [one["pointer"] for one in told["errors"]] == ["/content/html"]

    mails = await app.deliver()

    assert len(mails) == len(CASES) - len(UNENDED)
    for mail in mails:
        part = message_from_bytes(mail.raw, policy=policy.default).get_body(("html",))
        assert part is not None
        html = part.get_content()
        assert html.count("</body>") == html.count('<div class="mail-footer"') == 1
        assert html.index("</div></div></div>") < html.index('<div class="mail-footer"')
        assert "/unsubscribe/" in html.partition('<div class="mail-footer"')[2]


async def test_what_is_wrong_with_one_of_many_is_told_in_its_place(app: App) -> None:
    await app.subscribe(ADA)
    sources = ["<p>a", "<!-- b", "<p>c"]
    batch = {"messages": [letter(subject="s", html=html) for html in sources]}

    async with app.http.post("/v1/messages/batch", json=batch, headers=await app.key()) as answer:
        results = (await answer.json())["results"]

    assert [one["status"] for one in results] == ["queued", "invalid", "queued"]
    assert results[1]["errors"][0]["pointer"] == "/content/html"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_markup_takes_longer_than_its_length(seed: str) -> None:
    """Roughly: `benchmarks/markup.py` measures it. What grew with the square took minutes."""
    begun = time.thread_time()

    for beginning in ("", "<table><tr><td>" + "<span>" * 190):
        plain_text(markup.read(beginning + seed * (100_000 // len(seed))).page)

    assert time.thread_time() - begun < 5


async def test_confirmation_mails_go_on_while_a_caller_hands_in_what_takes_long(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that reads is not one of those that compose: more than there are of those wait."""
    reads, reading, goes_on = messages._asked, threading.Event(), threading.Event()

    def held(*asked: Any) -> Any:
        reading.set()
        assert goes_on.wait(2 * PATIENCE)
        return reads(*asked)

    monkeypatch.setattr(messages, "_asked", held)
    await app.subscribe(ADA)
    key = await app.key()
    await app.sign_up("bob@example.org")
    await app.tick()
    desk = Desk(app.parts, aside=True)
    await desk.register("wrk_x")
    body = letter(subject="s", html="<p>x")

    async def post() -> int:
        async with app.http.post("/v1/messages", json=body, headers=key) as answer:
            return answer.status

    async with asyncio.TaskGroup() as group:
        posts = [group.create_task(post()) for _ in range(40)]
        try:
            await until(reading.is_set)
            (parcel,) = await desk.claim("wrk_x", 10)
            async with asyncio.timeout(PATIENCE):
                mail = await desk.compose(parcel, [])
            handing_in = sum(not one.done() for one in posts)
        finally:
            goes_on.set()

    assert mail is not None
    assert handing_in == 40
    assert [one.result() for one in posts] == [202] * 40
