"""The order of locks (`docs/architecture.md`), on PostgreSQL: who waits for whom, in both orders.

Flows and databases are real; a gate that the test holds makes them line up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from audit.kinds import Actor
from consent import address, gates
from consent import tables as consent_tables
from consent.keys.vault import OF_PEOPLE
from consent.model import SubjectState
from delivery import attempts, changing, outbox, permits, tables
from delivery.desk import Ended, Parcel
from delivery.outbox import Message, Status
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.callers.api_keys import Scope
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.sending import permission, recover
from gateway.flows.sending.permission import Question
from gateway.parts import Parts
from gateway.process.desk import Desk
from gateway.process.lifespan import open_parts
from tests.support.apps import ADA, App, open_app
from tests.support.clock import AheadClock
from tests.support.locks import blocked, gate_held
from tests.support.stops import stops_of
from tests.support.waiting import PATIENCE, until

TTL = timedelta(minutes=5)  # longer than any machine needs; a test lets it pass
SHORT = 1.0  # seconds, where it passes by itself
_MORE = """
[purposes.capped]
sender = "acme"
basis = "consent"
at_most = "1 per 7d"
title = { en = "Capped" }
text = { en = "Yes, once a week." }

[purposes.twice]
sender = "acme"
basis = "consent"
at_most = "2 per 7d"
title = { en = "Twice" }
text = { en = "Yes, twice a week." }

[forms.capped]
purposes = ["capped"]

[forms.twice]
purposes = ["twice"]
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
Kept = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))


@dataclass
class House:
    """One gateway with two nodes, `one` and `two`, whose workers are called as they are."""

    app: App
    two: Parts
    key: dict[str, str]
    clock: AheadClock

    @property
    def one(self) -> Parts:
        return self.app.parts

    async def subscribe(self, *people: str, form: str = "signup", purpose: str) -> None:
        http = self.app.http
        described = await (await http.get(f"/forms/{form}.json")).json()
        texts = {one["purpose"]: one["text"]["hash"] for one in described["purposes"]}
        for person in people:
            body = {"email": person, "purposes": [purpose], "texts": [texts[purpose]]}
            assert (await http.post(f"/forms/{form}", json=body)).status == 202
        for mail in await self.app.deliver():
            link = f"/confirm/{mail.token('confirm')}"
            answer = await http.post(link, data={"answer": "confirm"})
            assert answer.status == 200

    async def subject(self, person: str = ADA) -> str:
        async with self.one.data.read() as connection:
            question = Question("newsletter", address.parse(person))
            (found,) = await permission.find_subjects(connection, self.one.lookup, [question])
        assert found is not None
        return found.subject

    async def queue(self, person: str = ADA, purpose: str = "newsletter") -> str:
        body = {
            "to": {"email": person},
            "purpose": purpose,
            "content": {"subject": "News", "text": "Hello."},
        }
        answer = await self.app.http.post("/v1/messages", json=body, headers=self.key)
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["message_id"])

    async def message(self, message: str) -> Message:
        async with self.one.data.read() as connection:
            found = await outbox.get(connection, message)
        assert found is not None
        return found

    async def attempts(self, message: str) -> list[str | None]:
        async with self.one.data.read() as connection:
            return [one.outcome for one in await attempts.of_message(connection, message)]

    async def permit_states(self, message: str) -> list[str]:
        permit = tables.permit
        query = select(permit.c.state).where(permit.c.message == message).order_by(permit.c.attempt)
        async with self.one.data.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def open_permits(self, subject: str) -> set[str]:
        async with self.one.data.read() as connection:
            now = await self.one.clock.now(connection)
            return await permits.open_permits(connection, subject, None, now)

    async def over(self, *leaving: asyncio.Task[Any]) -> None:
        """Let the permits run out that these wait for, each of them; then they are answered."""
        await until(lambda: sum(map(_waiting, (self.one, self.two))) >= len(leaving))
        assert not any(one.done() for one in leaving), "answered while a transmission could start"
        self.clock.step(TTL)
        async with asyncio.timeout(PATIENCE):  # who waited for a lease would wait for longer
            await asyncio.gather(*leaving)

    async def end_lease(self, owner: str) -> None:
        worker = tables.worker
        async with self.one.data.begin() as connection:
            ended = (await self.one.clock.now(connection)) - timedelta(seconds=1)
            statement = update(worker).where(worker.c.id == owner).values(lease_until=ended)
            await connection.execute(statement)


def _waiting(parts: Parts) -> int:
    """How many wait there for permits of others to end."""
    return sum(len(futures) for futures in parts.permit_wait._waiting.values())


@asynccontextmanager
async def open_house(
    directory: Path, new_database_url: Callable[[str], str], permit_ttl: str
) -> AsyncIterator[House]:
    clock = AheadClock()
    async with AsyncExitStack() as stack:
        said = {"clock": clock, "more": _MORE, "permit_ttl": permit_ttl}
        opened = open_app(directory, new_database_url, "postgresql", **said)
        app = await stack.enter_async_context(opened)
        two = await stack.enter_async_context(open_parts(app.parts.config, clock))
        for parts, owner in ((app.parts, "wrk_one"), (two, "wrk_two")):
            await Desk(parts).register(owner)
        yield House(app, two, await app.key(Scope.MESSAGES_SEND), clock)


@pytest.fixture
async def house(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[House]:
    async with open_house(tmp_path, new_database_url, "5m") as opened:
        yield opened


@pytest.fixture
async def ada(house: House) -> str:
    """The subject of somebody who gets the newsletter, with nothing queued."""
    await house.subscribe(ADA, purpose="newsletter")
    return await house.subject()


def spending(parcel: Parcel) -> Spending:
    return Spending(parcel.permit, parcel.message, parcel.attempt)


async def claim(parts: Parts, owner: str, wanted: int = 10) -> Sequence[Parcel]:
    return await Desk(parts).claim(owner, wanted)


async def spend(parts: Parts, owner: str, parcel: Parcel) -> bool:
    return parcel.permit in await Desk(parts).spend(owner, [spending(parcel)])


# What ends a permission; of an erasure its step under the gate.


async def leave(parts: Parts, subject: str) -> None:
    await Withdrawals(parts).by_subject(subject, Withdrawal("newsletter", Actor.SUBJECT, "test"))


async def leave_all(parts: Parts, subject: str) -> None:
    await Withdrawals(parts).by_subject(subject, Withdrawal(None, Actor.API, "test"))


async def object_to(parts: Parts, subject: str) -> None:
    await Withdrawals(parts).by_subject(
        subject, Withdrawal(None, Actor.API, "test", objection=True)
    )


async def _stop(parts: Parts, subject: str, **values: Any) -> None:
    table = consent_tables.subject
    async with parts.data.begin() as connection:
        await gates.lock(connection, [subject])
        await connection.execute(update(table).where(table.c.id == subject).values(values))
        now = await parts.clock.now(connection)
        (still_open,) = await permits.open_of(connection, [(subject, None)], now)
    await parts.permit_wait.until_over(still_open)


async def erase(parts: Parts, subject: str) -> None:
    await _stop(parts, subject, state=SubjectState.ERASING)


async def restrict(parts: Parts, subject: str) -> None:
    await stops_of(parts).restrict(subject)


Ender = Callable[[Parts, str], Awaitable[None]]
ENDERS = {
    "withdrawn": leave,
    "withdrawn from all": leave_all,
    "objected": object_to,
    "erased": erase,
    "restricted": restrict,
}
each_ender = pytest.mark.parametrize("end", ENDERS.values(), ids=list(ENDERS))


@each_ender
async def test_a_claim_behind_an_end_of_permission_sees_it(
    house: House, ada: str, end: Ender
) -> None:
    message = await house.queue()

    async with gate_held(house.one, ada):
        ending = asyncio.create_task(end(house.one, ada))
        await blocked(house.one.data, 1)
        claiming = asyncio.create_task(claim(house.two, "wrk_two"))
        await blocked(house.one.data, 2)
    await ending

    assert await claiming == []
    assert (await house.message(message)).status is Status.REFUSED
    assert await house.permit_states(message) == []


@each_ender
async def test_an_end_of_permission_behind_a_claim_waits_for_its_permit(
    house: House, ada: str, end: Ender
) -> None:
    await house.queue()

    async with gate_held(house.one, ada):
        claiming = asyncio.create_task(claim(house.two, "wrk_two"))
        await blocked(house.one.data, 1)
        ending = asyncio.create_task(end(house.one, ada))
        await blocked(house.one.data, 2)
    (parcel,) = await claiming
    assert await house.open_permits(ada) == {parcel.permit}
    await house.over(ending)

    assert await house.open_permits(ada) == set()
    assert await claim(house.two, "wrk_two") == []


async def test_a_withdrawal_is_answered_as_soon_as_the_permit_is_spent(
    house: House, ada: str
) -> None:
    await house.queue()
    (parcel,) = await claim(house.two, "wrk_two")

    async with asyncio.timeout(PATIENCE):
        ending = asyncio.create_task(leave(house.one, ada))
        spent = await spend(house.two, "wrk_two", parcel)
        await ending

    assert spent


async def test_a_withdrawal_of_one_purpose_does_not_wait_for_another(
    house: House, ada: str
) -> None:
    await house.subscribe(ADA, purpose="updates")
    await house.queue(purpose="updates")
    (parcel,) = await claim(house.two, "wrk_two")

    async with asyncio.timeout(PATIENCE):
        await leave(house.one, ada)

    assert await house.open_permits(ada) == {parcel.permit}


async def test_a_repeated_withdrawal_waits_like_the_first_on_any_node(
    house: House, ada: str
) -> None:
    await house.queue()
    await claim(house.two, "wrk_two")

    async def open_at_the_answer(parts: Parts) -> set[str]:
        await leave(parts, ada)
        return await house.open_permits(ada)

    nodes = (house.one, house.two) * 3
    leaving = [asyncio.create_task(open_at_the_answer(one)) for one in nodes]
    await house.over(*leaving)

    assert [one.result() for one in leaving] == [set()] * 6


async def test_not_me_said_twice_waits_twice(house: House) -> None:
    token = await house.app.subscribe()
    await house.queue()
    await claim(house.two, "wrk_two")

    async def open_at_the_answer() -> set[str]:
        answer = await house.app.http.post(f"/confirm/{token}", data={"answer": "reject"})
        assert answer.status == 200
        return await house.open_permits(await house.subject())

    saying = [asyncio.create_task(open_at_the_answer()) for _ in range(2)]
    await house.over(*saying)

    assert [one.result() for one in saying] == [set(), set()]


async def test_two_claims_do_not_pass_a_cap_of_one(house: House) -> None:
    await house.subscribe(ADA, form="capped", purpose="capped")
    messages = [await house.queue(purpose="capped") for _ in range(2)]

    async with gate_held(house.one, await house.subject()):
        claims = [asyncio.create_task(claim(house.one, "wrk_one", 1))]
        await blocked(house.one.data, 1)
        claims.append(asyncio.create_task(claim(house.two, "wrk_two", 1)))
        await blocked(house.one.data, 2)
    one, two = await asyncio.gather(*claims)

    assert [len(one), len(two)] == [1, 0]
    found = [await house.message(message) for message in messages]
    waiting = [
        (message.status, message.reason) for message in found if message.id != one[0].message
    ]
    assert waiting == [(Status.DEFERRED, "frequency_cap")]


async def test_one_claim_does_not_pass_a_cap_of_one_by_itself(house: House) -> None:
    await house.subscribe(ADA, form="capped", purpose="capped")
    for _ in range(2):
        await house.queue(purpose="capped")

    assert len(await claim(house.one, "wrk_one")) == 1


async def test_a_mail_that_was_never_begun_does_not_use_up_the_cap(house: House) -> None:
    await house.subscribe(ADA, form="capped", purpose="capped")
    first, second = [await house.queue(purpose="capped") for _ in range(2)]
    (parcel,) = await claim(house.one, "wrk_one")
    waiting = await house.message(second)
    assert (waiting.status, waiting.reason) == (Status.DEFERRED, "frequency_cap")
    assert waiting.due_at - waiting.created_at < timedelta(minutes=2)

    await Desk(house.one).settle("wrk_one", [Ended(parcel, Ending(Phase.GREETED))])
    assert await house.permit_states(first) == ["lapsed"]
    answer = await house.app.http.delete(f"/v1/messages/{first}", headers=house.key)
    assert answer.status == 204
    await make_due(house, second)

    assert [one.message for one in await claim(house.one, "wrk_one")] == [second]


async def test_a_permit_that_ran_out_counts_for_the_cap_while_its_message_may_yet_go(
    house: House,
) -> None:
    await house.subscribe(ADA, form="capped", purpose="capped")
    await house.queue(purpose="capped")
    (parcel,) = await claim(house.one, "wrk_one")
    await house.over(asyncio.create_task(leave_all(house.two, await house.subject())))
    await house.subscribe(ADA, form="capped", purpose="capped")
    await house.queue(purpose="capped")
    house.clock.step(TTL)

    # The first worker wrote MAIL in time and is slow: also when its lease is over, until the
    # message is taken from it, that mail may be the one of this week.
    while_it_runs = await claim(house.two, "wrk_two")
    spent = await spend(house.one, "wrk_one", parcel)

    assert (while_it_runs, spent) == ([], True)


async def test_a_mail_that_was_put_off_by_its_server_is_not_kept_back_by_its_own_cap(
    house: House,
) -> None:
    await house.subscribe(ADA, form="capped", purpose="capped")
    message = await house.queue(purpose="capped")
    (parcel,) = await claim(house.one, "wrk_one")
    assert await spend(house.one, "wrk_one", parcel)
    greylisted = Ending(Phase.RCPT, Reply(451, "4.7.1", ""))
    await Desk(house.one).settle("wrk_one", [Ended(parcel, greylisted)])
    await make_due(house, message)

    (again,) = await claim(house.one, "wrk_one")

    assert (again.message, again.attempt) == (message, 2)


async def test_a_mail_that_its_server_put_off_again_and_again_uses_up_one_place(
    house: House,
) -> None:
    await house.subscribe(ADA, form="twice", purpose="twice")
    put_off = await house.queue(purpose="twice")
    for _ in range(3):
        await make_due(house, put_off)
        (parcel,) = await claim(house.one, "wrk_one")
        assert await spend(house.one, "wrk_one", parcel)
        greylisted = Ending(Phase.RCPT, Reply(451, "4.7.1", ""))
        await Desk(house.one).settle("wrk_one", [Ended(parcel, greylisted)])
    second, third = [await house.queue(purpose="twice") for _ in range(2)]

    claimed = [one.message for one in await claim(house.one, "wrk_one")]

    waiting = await house.message(third)
    assert claimed == [second]
    assert (waiting.status, waiting.reason) == (Status.DEFERRED, "frequency_cap")


async def make_due(house: House, message: str) -> None:
    table = tables.outbox
    async with house.one.data.begin() as connection:
        now = await house.one.clock.now(connection)
        await connection.execute(update(table).where(table.c.id == message).values(due_at=now))


async def test_service_mail_passes_a_campaign_that_waits_longer(house: House, ada: str) -> None:
    for _ in range(3):
        await house.queue()
    await house.app.sign_up("late@example.org")
    await house.app.tick()

    desk = Desk(house.one)
    (first,) = await desk.claim("wrk_one", 1)

    mail = await desk.compose(first)
    assert mail is not None
    assert mail.envelope.rcpt_to == "late@example.org"


async def test_workers_that_look_at_the_same_rows_share_them(house: House, ada: str) -> None:
    for _ in range(4):
        await house.queue()

    async with gate_held(house.one, ada):
        claims = [asyncio.create_task(claim(house.one, "wrk_one", 2))]
        await blocked(house.one.data, 1)
        claims.append(asyncio.create_task(claim(house.two, "wrk_two", 2)))
        await blocked(house.one.data, 2)
    one, two = await asyncio.gather(*claims)

    assert [len(one), len(two)] == [2, 2]
    assert len({parcel.message for parcel in (*one, *two)}) == 4


async def test_who_is_being_erased_without_keys_stops_nobody_elses_mail(
    house: House, ada: str
) -> None:
    await house.subscribe("bob@example.org", purpose="newsletter")
    refused, sent = await house.queue(ADA), await house.queue("bob@example.org")
    await erase(house.one, ada)
    await house.one.keystore.erase([ada], set(OF_PEOPLE), house.one.clock.wall())

    parcels = await claim(house.one, "wrk_one")

    assert [one.message for one in parcels] == [sent]
    assert (await house.message(refused)).reason == "erased"


async def test_a_claim_under_a_lease_that_ran_out_takes_nothing(house: House, ada: str) -> None:
    message = await house.queue()
    await house.end_lease("wrk_one")

    assert await claim(house.one, "wrk_one") == []
    assert (await house.message(message)).status is Status.QUEUED


async def test_a_permit_is_not_spent_under_a_lease_that_ran_out(house: House, ada: str) -> None:
    await house.queue()
    (parcel,) = await claim(house.one, "wrk_one")

    await house.end_lease("wrk_one")

    assert not await spend(house.one, "wrk_one", parcel)


async def test_after_a_takeover_the_first_worker_may_neither_send_nor_settle(
    house: House, ada: str
) -> None:
    message = await house.queue()
    (first,) = await claim(house.one, "wrk_one")
    await house.end_lease("wrk_one")
    assert await recover.abandoned(house.two) == 1
    (second,) = await claim(house.two, "wrk_two")

    assert not await spend(house.one, "wrk_one", first)
    assert await spend(house.two, "wrk_two", second)
    await Desk(house.one).settle("wrk_one", [Ended(first, Ending(Phase.RCPT))])
    assert (await house.message(message)).status is Status.SENDING
    await Desk(house.two).settle("wrk_two", [Ended(second, Kept)])
    assert (await house.message(message)).status is Status.SENT
    assert await house.attempts(message) == ["aborted", "sent"]
    assert await house.permit_states(message) == ["lapsed", "spent"]


async def test_a_takeover_behind_a_spending_is_in_doubt_and_sends_nothing_again(
    house: House, ada: str
) -> None:
    message = await house.queue()
    (parcel,) = await claim(house.one, "wrk_one")
    assert await spend(house.one, "wrk_one", parcel)
    await house.end_lease("wrk_one")

    await recover.abandoned(house.two)

    assert (await house.message(message)).status is Status.UNCERTAIN
    assert await claim(house.two, "wrk_two") == []
    await Desk(house.one).settle("wrk_one", [Ended(parcel, Kept)])
    assert (await house.message(message)).status is Status.SENT, "an acceptance was known"


async def test_service_mail_in_doubt_waits_and_is_not_repeated_once_it_is_known_to_be_there(
    house: House,
) -> None:
    await house.app.sign_up()
    await house.app.tick()
    (parcel,) = await claim(house.one, "wrk_one")
    assert await spend(house.one, "wrk_one", parcel)
    await house.end_lease("wrk_one")

    await recover.abandoned(house.two)

    doubted = await house.message(parcel.message)
    assert doubted.status is Status.DEFERRED
    async with house.one.data.read() as connection:
        now = await house.one.clock.now(connection)
    assert doubted.due_at > now + timedelta(minutes=25)
    await Desk(house.one).settle("wrk_one", [Ended(parcel, Kept)])
    assert (await house.message(parcel.message)).status is Status.SENT


async def test_a_spending_and_a_takeover_at_once_do_not_both_succeed(
    house: House, ada: str
) -> None:
    await house.queue()
    (parcel,) = await claim(house.one, "wrk_one")

    async with house.two.data.begin() as taking:
        # The takeover decided by a lease that has been renewed since.
        (held,) = await lock_as_takeover(taking, "wrk_one")
        spending_it = asyncio.create_task(spend(house.one, "wrk_one", parcel))
        await blocked(house.one.data, 1)
        now = await house.two.clock.now(taking)
        await permits.lapse(taking, [(held.id, held.attempt)])
        await changing.change(taking, [changing.Change(held.id, Status.QUEUED)], now)

    assert not await spending_it


async def lock_as_takeover(connection: Any, owner: str) -> list[Message]:
    query = select(tables.outbox).where(tables.outbox.c.owner == owner)
    rows = await connection.execute(query.with_for_update())
    return [outbox.message_of(row) for row in rows]


async def test_what_a_lost_answer_leaves_is_taken_back_and_what_is_carried_is_not(
    house: House, ada: str
) -> None:
    lost, carried = await house.queue(), await house.queue()
    parcels = await claim(house.one, "wrk_one")
    held = {(one.message, one.attempt) for one in parcels if one.message == carried}
    desk = Desk(house.one)

    await desk.take_back("wrk_one", held)
    assert (await house.message(lost)).status is Status.SENDING, "its permit still runs"
    house.clock.step(TTL)
    await desk.take_back("wrk_one", held)

    assert [(await house.message(one)).status for one in (lost, carried)] == ["queued", "sending"]
    assert (await house.attempts(lost), await house.permit_states(lost)) == ([], ["lapsed"])


async def test_a_dialogue_that_broke_off_has_used_up_its_permit_and_is_tried_again(
    house: House, ada: str
) -> None:
    message = await house.queue()
    (parcel,) = await claim(house.one, "wrk_one")

    await Desk(house.one).settle("wrk_one", [Ended(parcel, Ending(Phase.RCPT))])

    assert (await house.message(message)).status is Status.DEFERRED
    assert await house.permit_states(message) == ["spent"]


async def test_what_the_end_of_its_own_worker_broke_off_is_due_at_once(
    house: House, ada: str
) -> None:
    message = await house.queue()
    (parcel,) = await claim(house.one, "wrk_one")

    await Desk(house.one).settle("wrk_one", [Ended(parcel, Ending(Phase.RCPT), aborted=True)])

    assert [one.message for one in await claim(house.two, "wrk_two")] == [message]
    assert (await house.attempts(message))[0] == "aborted"


PEOPLE = [f"person-{n:02}@example.org" for n in range(12)]
WORKERS = 3


async def test_under_load_nothing_deadlocks_nobody_waits_long_and_no_permit_follows_an_answer(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    async with open_house(tmp_path, new_database_url, f"{SHORT:.0f}s") as house:
        await leave_amid_it(house)


async def leave_amid_it(house: House) -> None:
    await house.subscribe(*PEOPLE, purpose="newsletter")
    subjects = [await house.subject(person) for person in PEOPLE]
    for _ in range(8):
        for person in PEOPLE:
            await house.queue(person)
    load = _Load(house, subjects)

    async with asyncio.timeout(4 * PATIENCE):
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                parts = (house.one, house.two)[number % 2]
                group.create_task(load.work(f"wrk_load{number}", parts))
            await asyncio.gather(*(load.end(n, subject) for n, subject in enumerate(subjects)))
            load.over = True

    # Who waited for a lease would wait for half an hour.
    assert load.slowest <= SHORT + PATIENCE, f"a withdrawal took {load.slowest:.2f} s"
    assert load.carried > 0, "nothing was sent meanwhile"
    for subject, answered_at in load.answered.items():
        assert await _decided_after(house, subject, answered_at) == [], "a permit after the answer"
    async with house.one.data.read() as connection:
        found = await connection.execute(text(_DEADLOCKS))
        assert found.scalar_one() == 0


class _Load:
    def __init__(self, house: House, subjects: list[str]) -> None:
        self.house = house
        self.subjects = subjects
        self.answered: dict[str, datetime] = {}
        self.slowest = 0.0
        self.carried = 0
        self.over = False

    async def work(self, owner: str, parts: Parts) -> None:
        """Claim, spend every second one late or not at all, settle."""
        desk = Desk(parts)
        await desk.register(owner)
        while not self.over:
            parcels = await desk.claim(owner, 5)
            spent = await desk.spend(owner, [spending(one) for one in parcels[::2]])
            kept = [Ended(one, Kept) for one in parcels if one.permit in spent]
            put_off = [Ended(one, Ending(Phase.GREETED)) for one in parcels[1::4]]
            await desk.settle(owner, [*kept, *put_off])  # the others stay open until they expire
            self.carried += len(kept)
            await asyncio.sleep(0.02)

    async def end(self, number: int, subject: str) -> None:
        """Each person leaves at another moment, in another way, twice at once on two nodes."""
        await asyncio.sleep(0.15 * number)
        how = list(ENDERS.values())[number % len(ENDERS)]
        begun = time.monotonic()
        both = [asyncio.create_task(how(p, subject)) for p in (self.house.one, self.house.two)]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        assert await self.house.open_permits(subject) == set(), "answered with a permit open"
        async with self.house.one.data.read() as connection:
            self.answered[subject] = await self.house.one.clock.now(connection)
        await asyncio.gather(*both)


async def _decided_after(house: House, subject: str, moment: datetime) -> list[str]:
    permit = tables.permit
    query = select(permit.c.id).where(permit.c.subject == subject, permit.c.decided_at > moment)
    async with house.one.data.read() as connection:
        return list((await connection.execute(query)).scalars())
