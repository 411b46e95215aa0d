"""Promise 10 under chance: three workers, one of which is killed again and again.

Twenty seconds of it, and longer where too few mails were met past their dot by then: how many
those are says how much it shows. `KILL_SECONDS=600` for more. The moments are printed as a seed,
and `KILL_SEED` repeats them, as far as a machine repeats anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import crowds, waiting
from tests.support.crowds import Noted
from tests.support.gateways import Gateway, open_gateway

SECONDS = float(os.environ.get("KILL_SECONDS", "20"))
WORKERS = ["worker-0", "worker-1", "worker-2"]
CONNECTIONS = 4  # of each
AHEAD = 80
# Mails whose worker is killed between their dot and its reply. Without them no kill shows anything
# of the journal, and on a busy machine most kills would meet who has only just been begun.
MET = SECONDS / 4
UNDER_WAY = 2  # of all workers' mails, past their dot, before the next kill
_LONGEST = 2.0  # seconds between two kills
_PATIENCE = 6 * SECONDS
PEOPLE = [f"delay-dot-{300 + 100 * n}.person{n}@example.test" for n in range(10)]


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(
        tmp_path, new_database_url, "postgresql", connections=CONNECTIONS
    ) as opened:
        yield opened


@pytest.mark.timeout(240 + 2 * _PATIENCE)  # it starts, and works off what is left
async def test_whoever_is_killed_whenever_nothing_is_lost_and_nothing_sent_twice(
    gateway: Gateway,
) -> None:
    await gateway.start("serve", "serve")
    for name in WORKERS:
        await gateway.start(name, "worker")
    key = await asyncio.to_thread(gateway.api_key)
    await crowds.subscribe(gateway, PEOPLE, seconds=200)
    seed = os.environ.get("KILL_SEED") or secrets.token_hex(8)
    posted: list[str] = []

    posting = asyncio.create_task(_keep_posting(gateway, key, posted))
    kills = await _keep_killing(gateway, seed)
    posting.cancel()
    with suppress(asyncio.CancelledError):
        await posting
    final = asyncio.create_task(crowds.final(gateway, key, posted, seconds=120))
    while not final.done():
        await crowds.make_due(gateway)  # what a crash put off need not wait for minutes
        await asyncio.wait([final], timeout=1)
    seen = await final

    ends, copies = Counter(one["status"] for one in seen.values()), crowds.copies(gateway)
    of_each = {one: copies[f"{seen[one]['message_id_header']}"] for one in posted}
    lost = [one for one in posted if seen[one]["status"] == "sent" and not of_each[one]]
    extra = sum(number - 1 for number in of_each.values() if number > 1)
    met = _met(gateway)()
    print(
        f"seed {seed}: {len(posted)} accepted, {kills} kills, {met} met past the dot, "
        f"{len(lost)} lost, {extra} extra copies, {ends['uncertain']} uncertain"
    )
    assert kills >= SECONDS / _LONGEST / 4
    assert met >= MET, "the kills met too few mails past their dot to show anything"
    assert len(posted) > CONNECTIONS * kills, "most of what was accepted was met by a kill"
    assert set(ends) <= {"sent", "uncertain"}
    assert met <= ends["uncertain"] <= CONNECTIONS * kills
    assert (lost, extra) == ([], 0)


async def _keep_posting(gateway: Gateway, key: str, posted: list[str]) -> None:
    """Hand in batches without end, *posted* growing by each that was acknowledged."""
    handed_over = crowds.HandedOver(gateway)
    before = handed_over()
    while True:
        if len(posted) - (handed_over() - before) < AHEAD:
            posted += await crowds.post(gateway, key, PEOPLE, f"batch-{len(posted)}")
        else:
            await asyncio.sleep(0.05)


async def _keep_killing(gateway: Gateway, seed: str) -> int:
    """Kill one after another, and begin it again at once; how many it were."""
    read, answered = Noted(gateway, b'"event": "read"'), crowds.HandedOver(gateway)
    met, until = _met(gateway), time.monotonic() + SECONDS
    killed: list[str] = []
    for chance, wait in _chances(seed):
        await asyncio.sleep(wait)
        with suppress(TimeoutError):
            await waiting.until(lambda: read() - answered() >= UNDER_WAY, _PATIENCE)
        if time.monotonic() > until + (0 if met() >= MET else _PATIENCE):
            break
        at_work = [one for one in WORKERS if _is_at_work(gateway, one, killed)]
        among = at_work if at_work and chance % 4 else WORKERS  # one in four may be starting
        gateway.kill(name := among[chance // 4 % len(among)])
        killed.append(name)
        await gateway.start(name, "worker")
    return len(killed)


def _is_at_work(gateway: Gateway, name: str, killed: Sequence[str]) -> bool:
    return gateway.log(name).count('"working"') > killed.count(name)


def _met(gateway: Gateway) -> Noted:
    """Counts the mails that the relay took and whose sender was gone before it could say so."""
    return Noted(gateway, b'"gone": true')


def _chances(seed: str) -> Iterator[tuple[int, float]]:
    """A number that says which worker is next, and after how many seconds."""
    number = 0
    while True:
        raw = hashlib.sha256(f"{seed} {number}".encode()).digest()
        yield raw[0], _LONGEST * int.from_bytes(raw[1:5]) / 2**32
        number += 1
