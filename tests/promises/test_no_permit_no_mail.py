"""Promise 1, from outside: a transmission starts only under a permit, on every path.

The relay notes when it read each MAIL; the database says what was permitted when.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from delivery import tables
from gateway.config import config
from storage.database import Database, open_database
from tests.support import crowds
from tests.support.failpoints import BEFORE_MAIL
from tests.support.gateways import HOLD, HOLD_RCPT, Gateway, open_gateway
from tests.support.waiting import PATIENCE, until

ADA = "ada@example.org"
SLACK = timedelta(milliseconds=100)  # between reading two clocks of one machine
HELD = 20


@pytest.fixture
async def paused(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    """PostgreSQL, with leases that a test waits for; it starts the workers but the first."""
    async with open_gateway(tmp_path, new_database_url, "postgresql", lease="6s") as opened:
        await opened.start("serve", "serve", "--no-worker")
        await opened.start("first", "worker")
        yield opened


async def test_every_mail_that_the_relay_saw_began_under_an_open_permit_of_its_own(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    faults = ("greylist.bob", "defer-dot.cleo", "refuse-rcpt.dan", "drop-after-dot.eve")
    monotonic_zero = datetime.fromtimestamp(time.time() - time.monotonic(), UTC)

    await gateway.subscribe(ADA)
    for person in faults:
        assert await gateway.sign_up(f"{person}@example.org") == 202  # a confirmation mail each
    sent = [(await gateway.send(key, ADA))[1]["message_id"] for _ in range(5)]
    for message in sent:
        await gateway.await_status(key, message, "sent")
    await until(lambda: len(transactions(gateway)) >= 10)

    seen, permits = await spent_permits(gateway)
    begun = [monotonic_zero + timedelta(seconds=one["at"]) for one in seen]
    assert len(permits) == len(begun), "as many permits as transactions: each is spent once"
    assert {one.ground_kind for one in permits} == {"consent", "confirmation"}
    for at in begun:
        covering = [
            one for one in permits if one.decided_at - SLACK <= at <= one.expires_at + SLACK
        ]
        assert covering, "a transaction without an open permit"
        permits.remove(min(covering, key=lambda one: one.expires_at))


async def test_a_message_whose_permission_ended_in_the_queue_is_never_begun(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    await gateway.subscribe(ADA)
    later = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    _, queued = await gateway.send(key, ADA, send_at=later)

    status = await leave_by_phone(gateway, key, ADA)
    await crowds.make_due(gateway)
    ended = await gateway.await_status(key, queued["message_id"], "refused")

    assert status == 200
    assert (ended["reason"], ended["permit"], ended["attempts"]) == ("withdrawn", None, [])
    assert len(recipients(gateway, ADA)) == 1, "more than the confirmation mail was begun"


async def test_a_worker_that_was_stopped_between_its_claim_and_mail_sends_nothing_later(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    stops = tmp_path / "stops"
    stops.mkdir()
    armed = ("tests.support.failpoints", BEFORE_MAIL, "1", str(stops))
    async with open_gateway(tmp_path, new_database_url, "postgresql") as gateway:
        await gateway.start("serve", "serve", "--no-worker")
        await gateway.start("first", "worker", through=armed)
        key = await asyncio.to_thread(gateway.api_key)
        await gateway.subscribe(ADA)
        (stops / "one").touch()
        messages = await crowds.post(gateway, key, [ADA] * 10, "ten")
        await until(lambda: is_stopped(gateway, "first"))
        async with data_of(gateway) as data:
            permitted = await _permitted(data, messages)

        begun = time.monotonic()
        status = await leave_by_phone(gateway, key, ADA)
        waited = time.monotonic() - begun
        gateway.signal("first", signal.SIGCONT)
        ended = [await gateway.await_status(key, one, "refused") for one in messages]

        assert permitted > 0
        assert status == 200
        assert waited < PATIENCE, "it waited for a lease, which is half an hour"
        assert {one["reason"] for one in ended} == {"withdrawn"}
        assert len(recipients(gateway, ADA)) == 1, "MAIL under a permit that was over"


@pytest.mark.timeout(600)  # forty sign up and confirm
async def test_who_leaves_while_a_slow_relay_holds_everybody_up_is_not_begun_when_it_goes_on(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    people = [f"person-{n:03}@example.org" for n in range(2 * HELD)]
    # A permit that waits is seen to wait, by whoever looks now and then.
    more = {"connections": HELD, "permit_ttl": "8s"}
    async with open_gateway(tmp_path, new_database_url, "postgresql", **more) as gateway:
        await gateway.start("serve", "serve", "--no-worker")
        await gateway.start("first", "worker")
        key = await asyncio.to_thread(gateway.api_key)
        await crowds.subscribe(gateway, people)
        (tmp_path / HOLD).touch()
        messages = dict(zip(people, await crowds.post(gateway, key, people, "held"), strict=True))
        waiting = await _until_held(gateway, messages)
        answers = await asyncio.gather(*(leave_by_phone(gateway, key, one) for one in waiting))
        (tmp_path / HOLD).unlink()
        seen = await crowds.final(gateway, key, [*messages.values()])
    assert set(answers) == {200}
    for person, message in messages.items():
        ended = (
            seen[message]["status"],
            seen[message].get("reason"),
            len(recipients(gateway, person)),
        )
        assert ended == (("refused", "withdrawn", 1) if person in waiting else ("sent", None, 2))


async def _until_held(gateway: Gateway, messages: Mapping[str, str]) -> set[str]:
    """Wait until no MAIL more is begun, and some that have a permit wait for one; who waits."""
    begun = crowds.Begun(gateway)
    async with data_of(gateway) as data, asyncio.timeout(60):
        while True:
            waiting = {one for one in messages if len(begun()[one]) == 1}
            permitted = await _permitted(data, [messages[one] for one in waiting])
            if len(waiting) <= len(messages) - (HELD - HELD // 10) and permitted:
                print(f"{len(waiting)} wait, {permitted} of them with a permit")
                return waiting
            await asyncio.sleep(0.05)


async def _permitted(data: Database, messages: Sequence[str]) -> int:
    """How many of *messages* have a permit that nobody used yet."""
    permit = tables.permit
    query = select(func.count(permit.c.message.distinct()))
    query = query.where(permit.c.message.in_(messages), permit.c.state == "open")
    async with data.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_a_worker_that_was_stopped_before_the_dot_sends_no_second_copy(
    paused: Gateway,
) -> None:
    key = await asyncio.to_thread(paused.api_key)
    await paused.subscribe(ADA)
    hold = paused.directory / HOLD_RCPT
    hold.touch()
    _, queued = await paused.send(key, ADA)
    await until(lambda: len(recipients(paused, ADA)) == 2)
    paused.signal("first", signal.SIGSTOP)
    hold.unlink()
    await paused.start("second", "worker")

    seen = await paused.await_status(key, queued["message_id"], "sent")
    paused.signal("first", signal.SIGCONT)
    await until(lambda: "lease_lost" in paused.log("first"))
    _, other = await paused.send(key, ADA)
    await paused.await_status(key, other["message_id"], "sent")

    assert [one["outcome"] for one in seen["attempts"]] == ["aborted", "sent"]
    assert len(recipients(paused, ADA)) == 4, "the stopped worker had not begun its copy"
    header = seen["message_id_header"]
    copies = [one for one in paused.received(ADA) if one.mail["Message-ID"] == header]
    assert len(copies) == 1


@pytest.mark.long
@pytest.mark.timeout(600)  # a lease has to run out, and another worker to take over
async def test_what_a_stopped_worker_hears_past_the_dot_is_what_became_of_its_mail(
    paused: Gateway,
) -> None:
    """Meanwhile it is in doubt, and nobody sends it again."""
    key = await asyncio.to_thread(paused.api_key)
    await paused.subscribe(ADA)
    hold = paused.directory / HOLD
    hold.touch()
    _, queued = await paused.send(key, ADA)
    await until(lambda: _past_the_dot(paused, queued["message_id"]))
    paused.signal("first", signal.SIGSTOP)
    hold.unlink()
    await paused.start("second", "worker")

    await paused.await_status(key, queued["message_id"], "uncertain")
    paused.signal("first", signal.SIGCONT)
    seen = await paused.await_status(key, queued["message_id"], "sent")

    assert [one["outcome"] for one in seen["attempts"]] == ["sent"]
    header = seen["message_id_header"]
    copies = [one for one in paused.received(ADA) if one.mail["Message-ID"] == header]
    assert len(copies) == 1


def _past_the_dot(gateway: Gateway, message: str) -> bool:
    journals = (gateway.directory / "journal").glob("wrk_*")
    return any(f"DOT {message} ".encode() in one.read_bytes() for one in journals)


@pytest.mark.long
async def test_a_worker_that_lost_its_lease_goes_on_under_another_name(paused: Gateway) -> None:
    key = await asyncio.to_thread(paused.api_key)
    await paused.subscribe(ADA)
    async with data_of(paused) as data:
        paused.signal("first", signal.SIGSTOP)
        await until_no_worker(data)
    paused.signal("first", signal.SIGCONT)
    await until(lambda: "lease_lost" in paused.log("first"))

    _, queued = await paused.send(key, ADA)

    await paused.await_status(key, queued["message_id"], "sent")


def is_stopped(gateway: Gateway, name: str) -> bool:
    told = Path(f"/proc/{gateway.processes[name].pid}/stat").read_text()
    return told.rpartition(")")[2].split()[0] == "T"


def transactions(gateway: Gateway) -> list[dict[str, Any]]:
    """Every MAIL that the relay read."""
    return [one for one in gateway.relay_events() if one["event"] == "mail"]


def recipients(gateway: Gateway, person: str) -> list[dict[str, Any]]:
    """Every RCPT for *person* that the relay read."""
    events = gateway.relay_events()
    return [one for one in events if one["event"] == "rcpt" and one["rcpt_to"] == person]


async def leave_by_phone(gateway: Gateway, key: str, person: str) -> int:
    said = {"to": {"email": person}, "purpose": "newsletter"}
    body = said | {"kind": "withdraw", "channel": "phone"}
    status, _ = await gateway.call(key, "POST", "/v1/withdrawals", body)
    return status


@asynccontextmanager
async def data_of(gateway: Gateway) -> AsyncIterator[Database]:
    """The gateway's own database, looked into."""
    async with open_database("data", config.load(gateway.config).storage.url) as data:
        yield data


async def spent_permits(gateway: Gateway) -> tuple[list[dict[str, Any]], list[Any]]:
    """What was begun, and what is spent, once that is as much: it is spent a moment later.

    A slow machine also lets some lapse, and asks anew.
    """
    permit = tables.permit
    query = select(permit).where(permit.c.state == "spent")
    async with data_of(gateway) as data, asyncio.timeout(60):
        while True:
            begun = transactions(gateway)
            async with data.read() as connection:
                found = list(await connection.execute(query))
            if len(found) >= len(begun):
                return begun, found
            await asyncio.sleep(0.05)


async def until_no_worker(data: Database) -> None:
    async with asyncio.timeout(60):
        while True:
            async with data.read() as connection:
                query = select(func.count()).select_from(tables.worker)
                if not (await connection.execute(query)).scalar_one():
                    return
            await asyncio.sleep(0.05)
