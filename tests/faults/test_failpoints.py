"""A worker that is killed at the worst moments of a delivery, each time the same one.

One connection, so that what was under way is known to the mail.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import crowds
from tests.support.failpoints import AFTER_250, AFTER_JOURNAL, BEFORE_DOT
from tests.support.gateways import Gateway, open_gateway

KILLS = 10
EVERY = 5  # mails that go out between two kills
MAILS = KILLS * (EVERY + 2)
PEOPLE = 10


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "postgresql", connections=1) as opened:
        await opened.start("serve", "serve")
        yield opened


@pytest.mark.long
@pytest.mark.timeout(1200)  # twenty starts of a worker
@pytest.mark.parametrize(
    ("point", "extra", "in_doubt"),
    [(BEFORE_DOT, 0, 0), (AFTER_250, KILLS, KILLS), (AFTER_JOURNAL, 0, 0)],
    ids=[BEFORE_DOT, AFTER_250, AFTER_JOURNAL],
)
async def test_what_a_kill_leaves_behind_is_known_to_the_mail(
    gateway: Gateway, point: str, extra: int, in_doubt: int
) -> None:
    """Service mail past the dot goes again under its Message-ID; marketing ends `uncertain`."""
    signed_up = [f"person{n}@example.test" for n in range(MAILS)]
    async with _killed_at(gateway, point):
        for status in await asyncio.gather(*(gateway.sign_up(one) for one in signed_up)):
            assert status == 202
        await _while_due(gateway, asyncio.create_task(_all_arrived(gateway, signed_up)))
    service = _copies(gateway)

    people = signed_up[:PEOPLE]
    for one in people:
        link = gateway.received(one)[-1].link("confirm")
        async with gateway.http.post(link, data={"answer": "confirm"}) as answer:
            assert answer.status == 200
    key = await asyncio.to_thread(gateway.api_key)
    async with _killed_at(gateway, point):
        accepted: list[str] = []
        for number in range(MAILS // PEOPLE):
            accepted += await crowds.post(gateway, key, people, f"batch-{number}")
        final = asyncio.create_task(crowds.final(gateway, key, accepted, seconds=400))
        await _while_due(gateway, final)
    seen = await final
    marketing = _copies(gateway, {one["message_id_header"] for one in seen.values()})

    ends = Counter(one["status"] for one in seen.values())
    print(f"{point}: {_extra(service)} extra of {len(service)} service mails; marketing {ends}")
    assert len(service) == len(signed_up)
    assert _extra(service) == extra
    assert all(len(set(bodies)) == 1 for bodies in service.values()), "a copy says something else"
    assert ends == Counter(sent=len(accepted) - in_doubt, uncertain=in_doubt)
    assert len(marketing) == len(accepted)
    assert _extra(marketing) == 0


@asynccontextmanager
async def _killed_at(gateway: Gateway, point: str) -> AsyncIterator[None]:
    """A worker that dies there so many times, and is begun again each time; then it must live."""
    tokens = gateway.directory / "tokens"
    tokens.mkdir(exist_ok=True)
    for number in range(KILLS):
        (tokens / str(number)).touch()
    keeping = asyncio.create_task(_keep(gateway, point, tokens))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    assert list(tokens.iterdir()) == [], "it did not come there so often"
    gateway.kill("worker")


async def _keep(gateway: Gateway, point: str, tokens: Path) -> None:
    armed = ("tests.support.failpoints", point, str(EVERY), str(tokens))
    while True:
        await gateway.start("worker", "worker", through=armed)
        while gateway.processes["worker"].poll() is None:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)


async def _all_arrived(gateway: Gateway, people: Collection[str]) -> None:
    """And what may have arrived twice: nothing waits any more."""
    async with asyncio.timeout(400):
        while {one.to for one in gateway.received()} < set(people):  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.2)
        while await crowds.waiting(gateway):  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.2)


async def _while_due(gateway: Gateway, task: asyncio.Task[Any]) -> None:
    """Let the minutes pass that a mail waits which a crash put off, until *task* is done."""
    while not task.done():
        await crowds.make_due(gateway)
        await asyncio.wait([task], timeout=0.5)
    await task


def _copies(
    gateway: Gateway, wanted: Collection[str] | None = None
) -> Mapping[str, Sequence[bytes]]:
    """The bodies that the relay got under each Message-ID."""
    found = dict[str, list[bytes]]()
    for one in gateway.received():
        name = str(one.mail["Message-ID"])
        if wanted is None or name in wanted:
            found.setdefault(name, []).append(one.raw.partition(b"\r\n\r\n")[2])
    return found


def _extra(copies: Mapping[str, Sequence[bytes]]) -> int:
    return sum(len(bodies) - 1 for bodies in copies.values())
