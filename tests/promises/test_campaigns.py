"""A campaign from outside: who may be mailed gets it once, and nobody after they left.

The relay says what was sent; the API says what was counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import crowds
from tests.support.gateways import HOLD, Gateway, open_gateway
from tests.support.waiting import until

CROWD = 16
SCOPES = (
    "campaigns:send",
    "audience:read",
    "consents:withdraw",
    "subjects:manage",
    "audit:read",
)
BODY = {"purpose": "newsletter", "content": {"subject": "June", "text": "Hello."}}


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, dialect, connections=4) as opened:
        await opened.start("serve", "serve")
        yield opened


@pytest.mark.timeout(600)
async def test_through_a_pause_a_kill_withdrawals_and_an_erasure_each_is_mailed_once_or_refused(
    gateway: Gateway, dialect: str
) -> None:
    key = await asyncio.to_thread(gateway.api_key, *SCOPES)
    worker = "serve" if dialect == "sqlite" else "worker"
    if worker == "worker":
        await gateway.start(worker, worker)
    people = [f"delay-dot-1000.person{number:02}@example.test" for number in range(CROWD)]
    await crowds.subscribe(gateway, people)
    confirmations = len(gateway.received())
    _, dry = await gateway.call(key, "POST", "/v1/campaigns", BODY | {"dry_run": True})
    hold = gateway.directory / HOLD
    hold.touch()  # or all would be sent before anybody can say pause

    status, made = await gateway.call(key, "POST", "/v1/campaigns", BODY)
    path = f"/v1/campaigns/{made['campaign_id']}"
    handed_over = crowds.HandedOver(gateway)
    await becomes(gateway, key, path, "sending")
    await until(lambda: begun(gateway))
    paused, _ = await gateway.call(key, "POST", f"{path}/pause")
    at_the_pause = begun(gateway)
    left = [one for one in people if one not in at_the_pause]
    withdrew, erased = left[:3], left[3]
    for one in withdrew:
        assert await withdraw(gateway, key, one) == 200
    hold.unlink()
    await asyncio.sleep(1.5)  # twice what a worker waits between two looks
    in_the_pause = begun(gateway) - at_the_pause
    await gateway.call(key, "POST", f"{path}/resume")
    await until(lambda: handed_over() >= confirmations + len(at_the_pause) + 1)
    gateway.kill(worker)
    await gateway.start(worker, worker)
    await gateway.await_ready("serve")
    answer, _ = await gateway.call(key, "POST", "/v1/erasures", {"email": erased})
    seen = await becomes(gateway, key, path, "done", "cancelled")

    assert (status, answer, paused) == (202, 202, 200)
    assert dry == {"recipients": CROWD, "refused": {}}
    assert in_the_pause == set(), "something was begun in the pause"
    got = arrived(gateway)
    assert set(got.values()) == {1}, "somebody was mailed twice"
    assert not set(withdrew) & set(got)
    counts = seen["counts"]
    assert sum(counts.values()) == CROWD
    assert seen["refused"].get("withdrawn") == 3
    # Who is erased may have been mailed before: that was counted then.
    others = counts.get("sent", 0) + counts.get("uncertain", 0)
    assert counts["sent"] <= len(got) <= others
    assert others + counts["refused"] == CROWD
    verified = await asyncio.to_thread(gateway.try_command, "audit", "verify")
    assert verified.returncode == 0, verified.stdout


def begun(gateway: Gateway) -> set[str]:
    """To whom a transmission was begun after that of the mail that asked them."""
    return {to for to, moments in crowds.Begun(gateway)().items() if len(moments) > 1}


def arrived(gateway: Gateway) -> Counter[str]:
    """Mails of the campaign, by recipient: they have its Feedback-ID."""
    return Counter(
        one.to for one in gateway.received() if (one.mail["Feedback-ID"] or "").startswith("cmp_")
    )


async def withdraw(gateway: Gateway, key: str, address: str) -> int:
    body = {"to": {"email": address}, "purpose": "newsletter", "kind": "withdraw"}
    status, _ = await gateway.call(key, "POST", "/v1/withdrawals", body | {"channel": "phone"})
    return status


async def becomes(gateway: Gateway, key: str, path: str, *wanted: str, seconds: float = 240) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            _, seen = await gateway.call(key, "GET", path)
            if seen["status"] in wanted:
                return seen
            await asyncio.sleep(0.2)
