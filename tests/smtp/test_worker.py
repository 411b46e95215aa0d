"""The worker and a real relay that is slow, full or silent: what it sends, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from delivery import journal as journal_module
from delivery import settling
from delivery import worker as worker_module
from delivery.desk import Claimed, Composed, Ended, Parcel
from delivery.hand import MOST
from delivery.journal import Journal
from delivery.outcome import Ending, Kind, Phase, Reply
from delivery.permits import Spending
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import Envelope, Timeouts
from delivery.worker import Pace, Worker
from storage.errors import StorageAway
from storage.ids import random_id
from tests.support.sink import Sink, open_sink
from tests.support.waiting import PATIENCE, until


def mails(behaviour: str) -> Iterable[Parcel]:
    """Mails without end; *behaviour* is the relay's with each of them."""
    for n in count(1):
        to = f"{behaviour}.person{n}@example.test"
        envelope = Envelope("news@acme.example", to, b"Subject: hello\r\n\r\nhello\r\n")
        yield Parcel(f"msg_{n}", 1, f"per_{n}", "sub", Kind.MARKETING, envelope)


@dataclass
class YesDesk:
    """Permits everything that there is, and keeps what it is told."""

    supply: Iterable[Parcel]
    ended: list[Ended] = field(default_factory=list)
    carried: list[set[tuple[str, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = iter(self.supply)

    async def register(self, owner: str) -> None: ...

    async def renew(self, owner: str) -> bool:
        return True

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        return Claimed(parcel for _, parcel in zip(range(wanted), self._left, strict=False))

    async def compose(self, parcel: Parcel, following: Iterable[Parcel]) -> Composed:
        return Composed("digest", parcel.letter)

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        return {one.permit for one in spendings}

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        self.ended += ended
        return ()

    async def take_back(self, owner: str, carried: Collection[tuple[str, int]]) -> None:
        self.carried.append(set(carried))

    async def leave(self, owner: str) -> None: ...


@asynccontextmanager
async def working(
    desk: YesDesk, sink: Sink, journals: Path, lease: float = 1800, **more: Any
) -> AsyncIterator[Worker]:
    """A worker for the life of the block, or until it is stopped.

    Its desk hands out no message twice: permits last longer than any machine needs to begin one.
    """
    relay = Relay("127.0.0.1", sink.port, local_hostname="gateway.example.test", **more)
    pace = Pace(timedelta(minutes=5), timedelta(seconds=lease))
    async with Pool(relay) as pool:
        worker = Worker(desk, pool, lambda: Journal.create(journals, random_id("wrk")), pace)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            yield worker
            worker.stop()


async def test_a_relay_that_greets_two_gets_what_two_can_carry(tmp_path: Path) -> None:
    """The others wait for minutes to be greeted; neither mails nor the end wait with them."""
    desk = YesDesk(mails("delay-dot-20"))
    waits = Timeouts(connect=300)
    async with open_sink() as sink:
        sink.slots = asyncio.Semaphore(2)
        before = asyncio.all_tasks()
        async with asyncio.timeout(PATIENCE):
            async with working(desk, sink, tmp_path, connections=20, timeouts=waits):
                await until(lambda: sink.turned_away > 0)
                before_that = len(sink.accepted)
                await until(lambda: len(sink.accepted) > before_that + 200)
        await until(lambda: sink.sessions == 0)
        left = asyncio.all_tasks() - before

    assert left == set()


@pytest.mark.parametrize("pipelining", [True, False], ids=["together", "one by one"])
async def test_after_how_many_a_relay_ends_a_session_is_learned(
    tmp_path: Path, pipelining: bool
) -> None:
    desk = YesDesk(islice(mails("fine"), 35))
    async with open_sink(pipelining=pipelining) as sink:
        sink.each = 10
        async with working(desk, sink, tmp_path, connections=1):
            await until(lambda: len(desk.ended) >= 35)

    over = [one for one in desk.ended if one.ending.worn]
    assert len(over) == 1  # the relay need not say it again
    assert over[0].ending.reply == Reply(421, "4.7.0", "4.7.0 so many and no more")
    assert len(sink.accepted) == 34
    assert sink.connections == 4


async def test_a_refusal_that_was_read_outlives_the_end(tmp_path: Path) -> None:
    """Else the mailbox that said no gets a second transaction, and its bounce is late."""
    desk = YesDesk(islice(mails("refuse-rcpt"), 1))
    async with open_sink() as sink:
        sink.reset_after = 3600
        async with working(desk, sink, tmp_path):
            await until(lambda: "RSET" in sink.commands)

    (ended,) = desk.ended
    assert ended.ending == Ending(Phase.RCPT, Reply(550, "5.1.1", "5.1.1 no such mailbox"))
    assert not ended.aborted


async def test_the_end_of_an_earlier_attempt_does_not_let_go_of_the_present_one(
    tmp_path: Path,
) -> None:
    """It would be taken back, and sent again, while it is under way."""
    (first,) = islice(mails("defer-rcpt"), 1)
    (again,) = islice(mails("delay-dot-3600000"), 1)
    desk = YesDesk([first, replace(again, attempt=2)])
    async with open_sink() as sink, working(desk, sink, tmp_path, lease=0.4, connections=2):
        await until(lambda: any(one.dot_at for one in sink.transactions))
        await until(lambda: [one.parcel for one in desk.ended] == [first])
        seen = len(desk.carried)

        await until(lambda: len(desk.carried) > seen + 1)

        assert len(sink.accepted) == 0
        assert desk.carried[-1] == {(again.message, 2)}
        sink.drop_sessions()


async def test_a_database_that_is_away_is_waited_for_once_not_once_for_each_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PATIENCE", 0.5)
    monkeypatch.setattr(settling, "MOST", 1)
    desk = AwayDesk(islice(mails("ada"), 8))
    async with open_sink() as sink:
        async with working(desk, sink, tmp_path):
            await until(lambda: len(sink.accepted) == 8)
            stopped = time.monotonic()
        took = time.monotonic() - stopped

    assert took > 0.4
    assert len(set(desk.asked)) == 1, "once for each group"
    assert journal_in(tmp_path).count("ACC ") == 8, "they are told by whoever replays it"


async def test_a_permit_of_which_no_answer_comes_sends_nothing_and_holds_up_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited behind the silent group may have waited too long; nobody later does."""
    monkeypatch.setattr(worker_module, "COMMIT_WITHIN", 5.0)
    desk = SilentDesk(islice(mails("ada"), 8))
    async with open_sink() as sink, working(desk, sink, tmp_path, connections=2):
        await until(lambda: len(desk.ended) == 8)

    silent = [one for one in desk.ended if one.ending == Ending(Phase.RCPT, None)]
    assert desk.unanswered
    assert set(desk.unanswered) <= {one.parcel.permit for one in silent}
    assert len(silent) <= 2, "one for each connection"
    assert len(sink.accepted) == 8 - len(silent)


async def test_a_journal_that_is_written_anew_keeps_what_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_CUT_AFTER", 300)
    (slow,) = islice(mails("delay-dot-3600000"), 1)
    quick = (replace(one, message=f"{one.message}0") for one in islice(mails("ada"), 60))
    desk = YesDesk([slow, *quick])
    async with open_sink() as sink, working(desk, sink, tmp_path, connections=4):
        await until(lambda: len(desk.ended) == 60)
        kept = journal_in(tmp_path)
        sink.drop_sessions()
        await until(lambda: len(desk.ended) == 61)

    assert len(sink.accepted) == 60
    assert f"DOT {slow.message} 1 " in kept
    assert kept.count("DOT ") < 60


def journal_in(directory: Path) -> str:
    (file,) = directory.glob("*.journal")
    return file.read_text()


@dataclass
class AwayDesk(YesDesk):
    """A desk whose database is away when outcomes are to be written; notes which it should."""

    asked: list[str] = field(default_factory=list)

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        self.asked += [one.parcel.message for one in ended]
        raise StorageAway("data")


@dataclass
class SilentDesk(YesDesk):
    """The database says nothing of the first group that is spent."""

    unanswered: Sequence[str] = ()

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        if not self.unanswered:
            self.unanswered = [one.permit for one in spendings]
            await asyncio.Event().wait()
        return await super().spend(owner, spendings)


@dataclass
class TwoClasses(YesDesk):
    """Has confirmations to send, too: they are claimed whether or not marketing may be."""

    service: list[Parcel] = field(default_factory=list)

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        some, self.service = self.service[:wanted], self.service[wanted:]
        if not marketing:
            return Claimed(some)
        return Claimed([*some, *await super().claim(owner, wanted - len(some))])


async def test_a_confirmation_does_not_wait_for_a_relay_that_is_slow_with_a_campaign(
    tmp_path: Path,
) -> None:
    desk = TwoClasses(mails("delay-dot-3600000"))
    async with open_sink() as sink, working(desk, sink, tmp_path, connections=4) as worker:
        await until(lambda: sum(one.data_at is not None for one in sink.transactions) == 3)
        asks = [replace(one, kind=Kind.SERVICE) for one in islice(mails("ask"), 30)]
        desk.service = asks
        await until(lambda: sum(one.fault == "ask" for one in sink.accepted) == len(asks))
        slow = [one for one in sink.transactions if one.fault.startswith("delay")]
        worker.stop()
        sink.drop_sessions()  # or the end would wait for what is past its dot

    assert len(slow) == 3, "marketing took the connection that is kept free of it"


@dataclass
class BusyDesk(TwoClasses):
    """The database takes its time with what became of a campaign."""

    takes: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        if any(one.parcel.kind is Kind.MARKETING for one in ended):
            await self.takes.wait()
        return await super().settle(owner, ended)


async def test_what_became_of_a_confirmation_is_written_beside_what_became_of_a_campaign(
    tmp_path: Path,
) -> None:
    """Else the proof that it was sent comes after somebody has acted on it."""
    desk = BusyDesk(islice(mails("ada"), 2 * MOST))
    async with open_sink() as sink, working(desk, sink, tmp_path, connections=4):
        try:
            await until(lambda: len(sink.accepted) == 2 * MOST)
            desk.service = [replace(one, kind=Kind.SERVICE) for one in islice(mails("ask"), 3)]
            await until(lambda: len(desk.ended) == 3)
            first = list(desk.ended)
        finally:
            desk.takes.set()

    assert {one.parcel.kind for one in first} == {Kind.SERVICE}
    assert len(desk.ended) == 2 * MOST + 3


@dataclass
class PassingDesk(YesDesk):
    """In front of all that may be sent are messages that only wait; notes how many it decided."""

    in_front: int = 1000
    decided: list[int] = field(default_factory=list)

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        if not self.in_front:
            return await super().claim(owner, wanted)
        self.decided.append(min(max(wanted, most), self.in_front))
        self.in_front -= self.decided[-1]
        return Claimed(others=self.decided[-1])


async def test_messages_that_only_wait_are_passed_without_a_pause_and_more_of_them_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "IDLE", 3600.0)
    desk = PassingDesk(islice(mails("ada"), 3))
    async with open_sink() as sink, working(desk, sink, tmp_path, connections=1):
        await until(lambda: len(sink.accepted) == 3)

    assert desk.decided == [4, 8, 16, 32, 64, 128, 200, 200, 200, 148]


@dataclass
class SlowToClaim(YesDesk):
    """The database takes its time with every claim but the first."""

    claims: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        self.claims += 1
        if self.claims > 1:
            await self.answers.wait()
        return await super().claim(owner, wanted)


async def test_connections_that_carried_their_number_are_replaced_while_a_claim_is_under_way(
    tmp_path: Path,
) -> None:
    desk = SlowToClaim(islice(mails("ada"), 8))
    one_at_a_time = {"connections": 1, "messages_per_connection": 1}
    async with open_sink() as sink, working(desk, sink, tmp_path, **one_at_a_time):
        await until(lambda: len(sink.accepted) == 4)
        under_way = desk.claims
        desk.answers.set()
        await until(lambda: len(sink.accepted) == 8)

    assert under_way == 2


async def test_what_a_claim_brings_once_the_end_was_asked_for_is_not_begun(tmp_path: Path) -> None:
    desk = SlowToClaim(islice(mails("ada"), 8))
    async with open_sink() as sink, working(desk, sink, tmp_path) as worker:
        await until(lambda: len(sink.accepted) == 4 and desk.claims == 2)
        worker.stop()
        desk.answers.set()

    assert len(sink.accepted) == 4
    assert [one.ending.phase for one in desk.ended[4:]] == [Phase.GREETED] * 4
