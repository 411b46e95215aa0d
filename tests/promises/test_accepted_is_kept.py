"""Promise 10: what was accepted is kept, whoever is killed whenever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.waiting import until

KILLS = 5
CONNECTIONS = 10
MESSAGES = 300
BETWEEN = 30  # mails between two kills
AHEAD = 140  # what a kill put back is not met by the next one


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, dialect, connections=CONNECTIONS) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.timeout(600)  # five restarts on each database, in the middle of real delivery
async def test_every_accepted_message_outlives_five_kills_in_full_delivery(
    gateway: Gateway, dialect: str
) -> None:
    delivering = ["serve"] if dialect == "sqlite" else ["serve", "worker"]
    for name in delivering:
        await gateway.start(name, name)
    key = await asyncio.to_thread(gateway.api_key)
    people = [f"delay-dot-100.person{n}@example.test" for n in range(10)]
    await crowds.subscribe(gateway, people)
    handed_over = crowds.HandedOver(gateway)
    before = handed_over()

    posting = asyncio.create_task(crowds.keep_posting(gateway, key, people, MESSAGES, ahead=AHEAD))
    for kill in range(1, KILLS + 1):
        reached = before + kill * BETWEEN
        await until(lambda reached=reached: handed_over() >= reached)
        # Twice the HTTP process of PostgreSQL, too: in the middle of answering.
        for name in delivering[-1:] if kill % 2 else delivering:
            gateway.kill(name)
            await gateway.start(name, name, ready=False)
    await gateway.await_ready("serve")
    accepted = await posting
    seen = await crowds.final(gateway, key, accepted)

    ends = Counter(one["status"] for one in seen.values())
    copies = crowds.copies(gateway)
    of_message = {one: copies[f"{seen[one]['message_id_header']}"] for one in accepted}
    doubled = sum(number > 1 for number in of_message.values())
    arrived = sum(of_message[one] for one in accepted if seen[one]["status"] == "uncertain")
    print(
        f"{dialect}: {len(accepted)} accepted, {KILLS} kills, {dict(ends)}, {doubled} doubled, "
        f"{arrived} of the uncertain arrived"
    )
    assert len(accepted) == len(set(accepted)) >= MESSAGES
    assert set(ends) <= {"sent", "uncertain"}
    assert ends["uncertain"] <= KILLS * CONNECTIONS
    assert ends["sent"] >= len(accepted) - KILLS * CONNECTIONS
    assert doubled == 0
    assert all(of_message[one] == 1 for one in accepted if seen[one]["status"] == "sent")
    assert list((gateway.directory / "journal").glob("*.journal")) != [], "the last one lives"


@pytest.mark.long
@pytest.mark.timeout(600)  # a restart, and a lease that has to run out
async def test_without_the_journal_what_may_have_arrived_is_not_sent_again(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    people = [f"delay-dot-8000.person{n}@example.test" for n in range(4)]
    async with open_gateway(
        # One connection more, which is kept free for service mail.
        tmp_path,
        new_database_url,
        dialect,
        connections=len(people) + 1,
        lease="10s",
    ) as gateway:
        delivering = "serve" if dialect == "sqlite" else "worker"
        for name in {"serve", delivering}:
            await gateway.start(name, name)
        key = await asyncio.to_thread(gateway.api_key)
        await crowds.subscribe(gateway, people)
        accepted = await crowds.post(gateway, key, people, "batch")
        journals = tmp_path / "journal"
        await until(lambda: _past_the_dot(journals) == len(people))

        gateway.kill(delivering)
        for one in journals.iterdir():
            one.unlink()
        await gateway.start(delivering, delivering)

        seen = await crowds.final(gateway, key, accepted, seconds=60)
        copies = crowds.copies(gateway)
        assert {one["status"] for one in seen.values()} == {"uncertain"}
        assert {copies[one["message_id_header"]] for one in seen.values()} == {1}


def _past_the_dot(journals: Path) -> int:
    lines = b"".join(one.read_bytes() for one in journals.glob("*.journal"))
    return lines.count(b"DOT msg") - lines.count(b"ACC msg")


@pytest.mark.timeout(600)  # two restarts
async def test_every_acknowledged_sign_up_gets_its_mail_when_http_is_killed_after_202(
    gateway: Gateway, dialect: str
) -> None:
    acknowledged: list[str] = []
    arguments = ["serve", "--no-worker"]
    await gateway.start("serve", *arguments)
    texts = await gateway.texts("newsletter")
    for kill in range(2):
        tried = [f"person{kill}-{n}@example.test" for n in range(24)]
        got = await _sign_up_until_killed(gateway, tried, texts, kill_at=1 + 4 * kill)
        assert got, "nobody was acknowledged"
        acknowledged += got
        await gateway.start("serve", *arguments)

    if dialect == "sqlite":  # where there is one process
        gateway.kill("serve")
        await gateway.start("serve", "serve")
    else:
        await gateway.start("worker", "worker")

    for address in acknowledged:
        await gateway.await_mail(address, seconds=60)
    print(f"{dialect}: {len(acknowledged)} of 48 sign-ups acknowledged, 2 kills, all mailed")


async def _sign_up_until_killed(
    gateway: Gateway, addresses: list[str], texts: list[str], *, kill_at: int
) -> list[str]:
    """Post all at once; kill the process in the step that reads the *kill_at*-th 202."""
    acknowledged: list[str] = []

    async def sign_up(address: str) -> None:
        body = {"email": address, "purposes": ["newsletter"], "texts": texts}
        async with gateway.http.post(f"{gateway.base}/forms/signup", json=body) as answer:
            if answer.status == 202:
                acknowledged.append(address)
            if len(acknowledged) == kill_at and "serve" in gateway.processes:
                gateway.kill("serve")

    await asyncio.gather(*map(sign_up, addresses), return_exceptions=True)
    return acknowledged
