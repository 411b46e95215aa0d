"""SIGTERM in full delivery: what is before the dot is broken off, what is past it waited for."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.waiting import until

BEFORE_DOT = [f"delay-rcpt-4000.person{n}@example.test" for n in range(3)]
PAST_DOT = [f"delay-dot-3000.person{n}@example.test" for n in range(3)]


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    # One for each of these, and the one that is kept for service mail.
    async with open_gateway(tmp_path, new_database_url, dialect, connections=7) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.timeout(600)  # slow relays are what it is about: about 20 s without other load
async def test_sigterm_ends_delivery_within_seconds_and_leaves_nothing_uncertain(
    gateway: Gateway, dialect: str
) -> None:
    delivering = "serve" if dialect == "sqlite" else "worker"
    await gateway.start("serve", "serve")
    if delivering != "serve":
        await gateway.start("worker", "worker")
    key = await asyncio.to_thread(gateway.api_key)
    await crowds.subscribe(gateway, [*BEFORE_DOT, *PAST_DOT])
    before = await crowds.post(gateway, key, BEFORE_DOT, "before")
    past = await crowds.post(gateway, key, PAST_DOT, "past")
    await until(lambda: _under_way(gateway) == (len(BEFORE_DOT), len(PAST_DOT)))

    began = time.monotonic()
    status = await asyncio.to_thread(gateway.kill, delivering, signal.SIGTERM)
    took = time.monotonic() - began

    print(f"{dialect}: exit {status} after {took:.1f} s")
    assert status == 0
    assert took < 15
    assert list((gateway.directory / "journal").glob("wrk_*")) == []
    assert "Traceback" not in gateway.log(delivering)
    await gateway.start(delivering, delivering)
    seen = await crowds.final(gateway, key, [*before, *past])
    assert {one["status"] for one in seen.values()} == {"sent"}
    for message in past:
        assert [one["outcome"] for one in seen[message]["attempts"]] == ["sent"]
    for message in before:
        assert [one["outcome"] for one in seen[message]["attempts"]] == ["aborted", "sent"]
    copies = crowds.copies(gateway)
    assert {copies[one["message_id_header"]] for one in seen.values()} == {1}


def _under_way(gateway: Gateway) -> tuple[int, int]:
    """Marketing mails after RCPT and before the dot, and past the dot without a reply."""
    journal = b"".join(one.read_bytes() for one in (gateway.directory / "journal").glob("wrk_*"))
    # Confirmation mails were answered; the journal has a line for each of those, too.
    past = journal.count(b"DOT msg") - journal.count(b"ACC msg")
    events = [one for one in gateway.relay_events() if one["rcpt_to"] in BEFORE_DOT]
    begun = sum(one["event"] == "rcpt" for one in events)
    return begun - sum(one["event"] == "dot" for one in events), past
