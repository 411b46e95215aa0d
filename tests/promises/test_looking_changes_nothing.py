"""Promise 3: link scanners, previews and prefetchers are harmless; only a click acts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from storage.database import Database
from tests.support import stores
from tests.support.gateways import Gateway, Received

ADA = "ada@example.org"
# Whatever says what may be mailed, and what is to be mailed.
TABLES = (
    "attempt",
    "audit_entry",
    "audit_pending",
    "confirmation",
    "confirmation_consent",
    "consent",
    "content",
    "handle",
    "intake",
    "outbox",
    "permit",
    "subject",
    "suppression",
)
SCANNERS: tuple[dict[str, str], ...] = (
    {},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"X-Moz": "prefetch"},
    {"X-Purpose": "preview"},
    {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) SafeLinks"},
    {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"},
    {"Content-Type": "application/x-www-form-urlencoded", "List-Unsubscribe": "One-Click"},
)
ODD = ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "LINK", "CONFIRM")
QUERIES = (
    "",
    "?answer=confirm",
    "?answer=reject",
    "?List-Unsubscribe=One-Click",
    "?_method=POST&purpose.newsletter=off",
)
TIMES = 3


@pytest.fixture
def gateway(one_process: Gateway) -> Gateway:
    return one_process


def links(gateway: Gateway, mail: Received) -> list[str]:
    """Every link to the gateway in any part or header of a mail."""
    parts = [mail.mail.get_body((kind,)) for kind in ("plain", "html")]
    text = " ".join([str(mail.mail.items()), *(str(one.get_content()) for one in parts if one)])
    found = re.findall(rf"{re.escape(gateway.base)}/[^\s<>\"']+", text)
    return sorted(set(found))


def looks(urls: list[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    for url in urls:
        for headers in SCANNERS:
            for method in ("GET", "HEAD", "OPTIONS"):
                yield from [(method, url, headers)] * TIMES
        for query in QUERIES:
            yield "GET", url + query, {}
            yield "HEAD", url + query, {}
        for method in ODD:
            yield method, url, {}


async def storm(gateway: Gateway, urls: list[str]) -> set[int]:
    """Look at links in every way, several at once; which statuses were answered."""
    slots = asyncio.Semaphore(8)

    async def look(method: str, url: str, headers: dict[str, str]) -> int:
        body = b"answer=confirm&List-Unsubscribe=One-Click" if "Content-Type" in headers else None
        async with (
            slots,
            gateway.http.request(
                method, url, headers=headers, data=body, allow_redirects=True
            ) as seen,
        ):
            await seen.read()
            return seen.status

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(*one)) for one in looks(urls)]
    return {task.result() for task in tasks}


async def settled(data: Database, states: set[str]) -> dict[str, stores.Rows]:
    """The tables once no mail is under way and every event has its index."""
    async with asyncio.timeout(60):
        while True:
            seen = await stores.dump(data, TABLES)
            if not seen["audit_pending"] and {row["status"] for row in seen["outbox"]} <= states:
                return seen
            await asyncio.sleep(0.05)


async def test_looking_at_every_link_in_every_way_changes_nothing(gateway: Gateway) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    assert await gateway.sign_up(ADA) == 202
    confirmation = await gateway.await_mail(ADA)
    async with stores.open_data(gateway) as data:
        asked = await settled(data, {"sent"})

        statuses = await storm(gateway, links(gateway, confirmation))

        assert await stores.dump(data, TABLES) == asked
        assert max(statuses) < 500
        async with gateway.http.post(
            confirmation.link("confirm"), data={"answer": "confirm"}
        ) as page:
            assert page.status == 200
        assert await state(data) == "confirmed"

        _, queued = await gateway.send(key, ADA)
        await gateway.await_status(key, queued["message_id"], "sent")
        nurture = gateway.received(ADA)[1]
        subscribed = await settled(data, {"sent"})
        again = nurture.link("preferences").replace("/preferences/", "/again/")
        found = [*links(gateway, confirmation), *links(gateway, nurture), again]
        assert {url.removeprefix(gateway.base).split("/")[1] for url in found} == {
            "again",
            "confirm",
            "unsubscribe",
            "why",
            "preferences",
            "stop",
            "notices",
        }

        statuses = await storm(gateway, found)

        assert await stores.dump(data, TABLES) == subscribed
        assert max(statuses) < 500
        async with gateway.http.post(nurture.link("unsubscribe")) as page:
            assert page.status == 200
        assert await state(data) == "withdrawn"


async def state(data: Database) -> str:
    (row,) = (await stores.dump(data, ["consent"]))["consent"]
    return str(row["state"])
