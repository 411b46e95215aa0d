"""Every gap between durable effects, twice: failed and did not happen, failed but did happen.

Whoever asked is told "ask again", asks again, and everything is there once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select

from audit import tables as audit_tables
from consent import intakes
from delivery import tables
from delivery.desk import Claimed, Ended
from delivery.journal import Journal
from delivery.outcome import Phase
from delivery.permits import Spending
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.worker import Pace, Worker
from gateway.flows.joining import intake
from gateway.process.desk import Desk
from storage.errors import StorageAway
from storage.ids import random_id
from tests.support.apps import App
from tests.support.gaps import gap
from tests.support.sink import Sink, open_sink
from tests.support.workers import IN_TIME

T = TypeVar("T")
MESSAGE = {
    "to": {"email": "ada@example.org"},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}
BY_PHONE = {"kind": "withdraw", "channel": "phone"}
_numbers = count(1)


@pytest.fixture(params=[False, True], ids=["did-not-happen", "did-happen"])
def happened(request: pytest.FixtureRequest) -> bool:
    did: bool = request.param
    return did


def someone() -> str:
    return f"person{next(_numbers)}@example.org"


async def test_a_sign_up_is_acknowledged_only_once_it_is_kept(app: App, happened: bool) -> None:
    address = someone()
    body = await app.posted(address)

    with gap(app.parts.data, 1, happened=happened):
        answer = await app.http.post("/forms/signup", json=body)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    async with app.parts.data.read() as connection:
        assert await intakes.waiting(connection) == int(happened)
    assert (await app.http.post("/forms/signup", json=body)).status == 202
    mails = [one for one in await app.deliver() if one.to == address]
    assert 1 <= len(mails) <= 2, "two mails a request at most, as for anybody who asks twice"


@pytest.mark.parametrize("store", ["data", "key_database"])
async def test_a_sign_up_is_worked_off_once(app: App, happened: bool, store: str) -> None:
    for at in count(1):
        address = someone()
        await app.sign_up(address)
        with gap(getattr(app.parts, store), at, happened=happened) as one:
            assert await _is_away(intake.work_off(app.parts)) == one.reached

        assert [mail.to for mail in await app.deliver()] == [address]

        async with app.parts.data.read() as connection:
            assert await intakes.waiting(connection) == 0
        if not one.reached:
            break
    assert at > 1


async def test_a_confirmation_takes_effect_once(app: App, happened: bool) -> None:
    for at in count(1):
        address = someone()
        token = await app.confirmation(address)
        with gap(app.parts.data, at, happened=happened) as one:
            answer = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
        assert answer.status == (503 if one.reached else 200)

        again = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})

        assert again.status == 200
        assert await app.permission(address) == "granted"
        if not one.reached:
            break
    assert at > 1
    assert await _events(app, "consent.confirmed") == at


async def test_a_withdrawal_is_answered_only_once_it_stands(app: App, happened: bool) -> None:
    key = await app.key()
    for at in count(1):
        address = someone()
        await app.subscribe(address)
        body = {"to": {"email": address}, "purpose": "newsletter"} | BY_PHONE
        with gap(app.parts.data, at, happened=happened) as one:
            answer = await app.http.post("/v1/withdrawals", json=body, headers=key)
        assert answer.status == (503 if one.reached else 200)

        again = await app.http.post("/v1/withdrawals", json=body, headers=key)

        assert again.status == 200
        assert await app.permission(address) == "withdrawn"
        if not one.reached:
            break
    assert at > 1
    assert await _events(app, "consent.withdrawn") == at


async def test_a_message_with_an_idempotency_key_is_queued_once(app: App, happened: bool) -> None:
    await app.subscribe()
    key = await app.key()
    for at in count(1):
        headers = {**key, "Idempotency-Key": f"post-{at}"}
        with gap(app.parts.data, at, happened=happened) as one:
            first = await app.http.post("/v1/messages", json=MESSAGE, headers=headers)
        assert first.status == (503 if one.reached else 202)
        app.step(timedelta(minutes=2))  # a ticket that could not be given back is free again

        again = await app.http.post("/v1/messages", json=MESSAGE, headers=headers)

        assert again.status == 202
        assert await _marketing(app) == at
        if not one.reached:
            break
    assert at > 1


async def test_events_get_one_index_each(app: App, happened: bool) -> None:
    async def sequence() -> None:
        async with app.parts.data.begin() as connection:
            await app.parts.log.sequence(connection)
        await app.parts.publisher.publish(app.parts.data, app.parts.guard, app.parts.clock)

    for store in (app.parts.data, app.parts.guard):
        for at in count(1):
            await app.sign_up(someone())
            await intake.work_off(app.parts)
            with gap(store, at, happened=happened) as one:
                assert await _is_away(sequence()) == one.reached
            await sequence()
            if not one.reached:
                break
        assert at > 1

    async with app.parts.data.read() as connection:
        pending = await connection.execute(_count_of("audit_pending"))
        assert pending.scalar_one() == 0
        events = (await connection.execute(_count_of("audit_entry"))).scalar_one()
        assert events == await app.parts.log.size(connection)
    key = await app.key()
    checkpoint = await (await app.http.get("/v1/audit/checkpoint", headers=key)).text()
    assert checkpoint.splitlines()[1] == str(events)


STEPS = ["register", "renew", "claim", "spend", "settle", "take_back", "leave"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_message_is_sent_once_whatever_the_worker_was_not_told(
    app: App, happened: bool, step: str, tmp_path: Path
) -> None:
    await app.subscribe()
    key = await app.key()
    answer = await app.http.post("/v1/messages", json=MESSAGE, headers=key)
    message = (await answer.json())["message_id"]
    desk = GapDesk(app, step, happened)

    async with open_sink() as sink, _delivering(desk, sink, tmp_path / "journal"):
        async with asyncio.timeout(60):
            while await _status(app, key, message) != "sent" or not desk.passed_by():
                await asyncio.sleep(0.05)
                app.step(timedelta(seconds=20))  # what is due later is due now

    assert len(sink.accepted) == 1
    assert desk.reached
    assert list((tmp_path / "journal").glob("*.journal")) == [] or step == "leave"


async def test_dot_and_reply_are_in_the_journal_before_the_outcome_is_stored(
    app: App, tmp_path: Path
) -> None:
    """Else a worker that dies between the two leaves `uncertain` what it knows to be sent."""
    await app.subscribe()
    key = await app.key()
    answer = await app.http.post("/v1/messages", json=MESSAGE, headers=key)
    message = (await answer.json())["message_id"]
    desk = WatchingDesk(app, tmp_path / "journal")

    async with open_sink() as sink, _delivering(desk, sink, tmp_path / "journal"):
        async with asyncio.timeout(60):
            await desk.settled.wait()

    place = f"{message} {desk.attempt}"
    dot, acc = desk.journal.find(f"DOT {place}"), desk.journal.find(f"ACC {place} 250")
    assert 0 < dot < acc


class WatchingDesk(Desk):
    """The worker's desk, which keeps what the journal says when a reply is brought to it."""

    def __init__(self, app: App, journals: Path) -> None:
        super().__init__(app.parts)
        self._journals = journals
        self.journal, self.attempt = "", 0
        self.settled = asyncio.Event()

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        replied = [one for one in ended if one.ending.phase is Phase.REPLIED]
        for one in replied:
            self.journal = (self._journals / f"{owner}.journal").read_text()
            self.attempt = one.parcel.attempt
        lost = await super().settle(owner, ended)
        if replied:
            self.settled.set()
        return lost


class GapDesk(Desk):
    """The worker's desk, with one step whose first answer is lost."""

    def __init__(self, app: App, step: str, happened: bool) -> None:
        super().__init__(app.parts)
        self._step, self._happened = step, happened
        self.reached = False

    def passed_by(self) -> bool:
        """Whether the step was met, if it comes before the end."""
        return self.reached or self._step == "leave"

    async def register(self, owner: str) -> None:
        await self._gap("register", super().register(owner))

    async def renew(self, owner: str) -> bool:
        return await self._gap("renew", super().renew(owner))

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        parcels = Claimed()
        if self._step != "claim" or self.reached:
            return await super().claim(owner, wanted, marketing=marketing, most=most)
        if self._happened:
            parcels = await super().claim(owner, wanted, marketing=marketing, most=most)
            if not parcels:
                return parcels
        return await self._gap("claim", _just(parcels))

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        return await self._gap("spend", super().spend(owner, spendings))

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        return await self._gap("settle", super().settle(owner, ended))

    async def take_back(self, owner: str, carried: Any) -> None:
        await self._gap("take_back", super().take_back(owner, carried))

    async def leave(self, owner: str) -> None:
        await self._gap("leave", super().leave(owner))

    async def _gap(self, step: str, work: Coroutine[Any, Any, T]) -> T:
        if step != self._step or self.reached:
            return await work
        self.reached = True
        if self._happened:
            await work
        else:
            work.close()
        raise StorageAway("data")


async def _just(value: T) -> T:
    return value


@asynccontextmanager
async def _delivering(desk: Desk, sink: Sink, journals: Path) -> AsyncIterator[None]:
    """A real worker on a real relay, for the life of the block."""
    pace = Pace(IN_TIME, lease=timedelta(seconds=1))
    async with Pool(Relay("127.0.0.1", sink.port, connections=2)) as pool:
        worker = Worker(desk, pool, lambda: Journal.create(journals, random_id("wrk")), pace)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await running


async def _is_away(work: Coroutine[Any, Any, object]) -> bool:
    with suppress(StorageAway):
        await work
        return False
    return True


async def _status(app: App, key: dict[str, str], message: str) -> str:
    seen = await (await app.http.get(f"/v1/messages/{message}", headers=key)).json()
    return str(seen["status"])


async def _marketing(app: App) -> int:
    query = select(func.count()).where(tables.outbox.c.kind == "marketing")
    async with app.parts.data.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def _events(app: App, kind: str) -> int:
    await app.tick()
    key = await app.key()
    answer = await app.http.get(f"/v1/audit/events?kind={kind}&limit=1000", headers=key)
    return len((await answer.json())["events"])


def _count_of(table: str) -> Any:
    return select(func.count()).select_from(audit_tables.metadata.tables[table])
