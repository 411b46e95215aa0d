"""One transmission against a real server: what is written when, and what an ending means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from delivery.errors import ComposeError, JournalError
from delivery.outcome import Ending, Kind, Outcome, Phase, Reply, Verdict, judge
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import Connection, Envelope, Timeouts, transmit
from tests.support.connections import take
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

DATA = b"Subject: hello\r\n\r\nA line.\r\n.\r\n..two dots\r\n"


@dataclass
class Fences:
    """A guard that notes what it was asked, and says no where it is told to."""

    may: bool = True
    spends: bool = True
    full: bool = False
    on_spend: Callable[[], None] = lambda: None
    asked: list[str] = field(default_factory=list)
    reply: Reply | None = None

    def may_start(self) -> bool:
        self.asked.append("may_start")
        return self.may

    async def spend(self) -> bool:
        await asyncio.sleep(0)
        self.asked.append("spend")
        self.on_spend()
        return self.spends

    def before_dot(self) -> None:
        self.asked.append("before_dot")
        if self.full:
            raise JournalError("full")

    def accepted(self, reply: Reply) -> None:
        self.asked.append("accepted")
        self.reply = reply


def mail_to(recipient: str, data: bytes = DATA) -> Envelope:
    return Envelope("news@acme.example", f"{recipient}@example.test", data)


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
async def sink(request: pytest.FixtureRequest) -> AsyncIterator[Sink]:
    async with open_sink(pipelining=request.param) as opened:
        yield opened


@pytest.fixture
async def pool(sink: Sink) -> AsyncIterator[Pool]:
    relay = Relay("127.0.0.1", sink.port, local_hostname="gateway.example.test")
    async with Pool(relay) as opened:
        yield opened


@pytest.fixture
async def connection(pool: Pool) -> Connection:
    (one,) = await take(pool, 1)
    return one


async def test_a_mail_arrives_byte_for_byte(sink: Sink, connection: Connection) -> None:
    fences = Fences()

    ending = await transmit(connection, mail_to("ada"), fences)

    assert ending == Ending(Phase.REPLIED, Reply(250, "2.0.0", "2.0.0 kept"))
    assert fences.asked == ["may_start", "spend", "before_dot", "accepted"]
    (kept,) = sink.accepted
    assert (kept.mail_from, kept.rcpt_to) == ("news@acme.example", "ada@example.test")
    assert kept.raw == DATA


@pytest.mark.parametrize(
    "data", [b"no line end", b".\r\n", b".start\r\n", b"", b"a\r\n.\r\n.\r\n.b\r\n"]
)
async def test_dots_and_ends_survive(sink: Sink, connection: Connection, data: bytes) -> None:
    await transmit(connection, mail_to("ada", data), Fences())

    end = b"" if data.endswith(b"\r\n") else b"\r\n"
    assert sink.accepted[0].raw == data + end


async def test_a_connection_carries_one_mail_after_another(
    sink: Sink, pool: Pool, connection: Connection
) -> None:
    for recipient in ("ada", "refuse-rcpt", "defer-dot", "refuse-data", "grace"):
        await transmit(connection, mail_to(recipient), Fences())
        pool.give_back(connection)
        assert await take(pool, 1) == [connection]

    assert sink.connections == 1
    assert [one.rcpt_to for one in sink.accepted] == ["ada@example.test", "grace@example.test"]


async def test_without_leave_nothing_is_written(sink: Sink, connection: Connection) -> None:
    ending = await transmit(connection, mail_to("ada"), Fences(may=False))

    assert ending == Ending(Phase.GREETED)
    assert sink.transactions == []
    assert connection.dialogue.is_quiet


async def test_mail_is_written_before_anything_else_can_run(
    sink: Sink, connection: Connection
) -> None:
    other_ran = []
    asyncio.get_running_loop().call_soon(other_ran.append, True)

    class Watch(Fences):
        def may_start(self) -> bool:
            assert connection.dialogue.is_quiet
            return super().may_start()

    fences = Watch()
    task = transmit(connection, mail_to("ada"), fences)
    task.send(None)  # one step, as far as the first wait

    assert connection.phase is Phase.MAIL
    assert not other_ran
    task.close()


async def test_a_permit_that_cannot_be_spent_stops_it_before_the_dot(
    sink: Sink, connection: Connection
) -> None:
    fences = Fences(spends=False)

    ending = await transmit(connection, mail_to("ada"), fences)

    assert ending == Ending(Phase.RCPT)
    assert fences.asked == ["may_start", "spend"]
    assert not connection.dialogue.is_open
    assert sink.accepted == []


async def test_a_full_journal_stops_it_before_the_dot(sink: Sink, connection: Connection) -> None:
    ending = await transmit(connection, mail_to("ada"), Fences(full=True))

    assert ending == Ending(Phase.BODY)
    assert not connection.dialogue.is_open
    assert sink.accepted == []


@pytest.mark.parametrize(
    ("recipient", "phase", "code"),
    [
        ("refuse-rcpt", Phase.RCPT, 550),
        ("greylist", Phase.RCPT, 451),
        ("full-rcpt", Phase.RCPT, 552),
        ("refuse-data", Phase.DATA, 554),
        ("refuse-dot", Phase.REPLIED, 554),
        ("defer-dot", Phase.REPLIED, 451),
    ],
)
async def test_a_refusal_ends_it_where_it_came(
    connection: Connection, recipient: str, phase: Phase, code: int
) -> None:
    fences = Fences()

    ending = await transmit(connection, mail_to(recipient), fences)

    assert ending.phase is phase
    assert ending.reply is not None
    assert ending.reply.code == code
    assert fences.asked.count("spend") == 1
    assert connection.dialogue.is_quiet


async def test_a_full_mailbox_means_the_same_before_and_after_the_dot(
    sink: Sink, connection: Connection
) -> None:
    at_rcpt = await transmit(connection, mail_to("full-rcpt"), Fences())
    after_dot = await transmit(connection, mail_to("full-dot"), Fences())

    later = Verdict(Outcome.DEFERRED, again=True)
    assert [at_rcpt.phase, after_dot.phase] == [Phase.RCPT, Phase.REPLIED]
    assert [judge(one, Kind.MARKETING) for one in (at_rcpt, after_dot)] == [later, later]
    assert connection.dialogue.is_quiet
    assert sink.accepted == []


@pytest.mark.parametrize("recipient", ["close-rcpt", "close-dot", "odd-dot"])
async def test_a_server_that_closes_or_makes_no_sense_is_left(
    connection: Connection, recipient: str
) -> None:
    ending = await transmit(connection, mail_to(recipient), Fences())

    assert ending.reply is not None
    assert not connection.dialogue.is_open


@pytest.mark.parametrize(
    ("recipient", "phase", "copies"),
    [
        ("drop-before-354", Phase.DATA, 0),
        ("drop-after-dot", Phase.DOT, 0),
        ("accept-then-rst", Phase.DOT, 1),
        ("nonsense-dot", Phase.DOT, 1),
        ("delay-dot-3600000", Phase.DOT, 0),
    ],
)
async def test_a_lost_connection_says_whether_the_dot_was_out(
    sink: Sink, connection: Connection, recipient: str, phase: Phase, copies: int
) -> None:
    fences = Fences()
    if recipient.startswith("delay"):  # who answers is waited for
        connection.timeouts = Timeouts(dot=0.5)

    ending = await transmit(connection, mail_to(recipient), fences)

    assert ending == Ending(phase)
    assert ("before_dot" in fences.asked) == (phase is Phase.DOT)
    assert "accepted" not in fences.asked
    assert len(sink.accepted) == copies
    assert not connection.dialogue.is_open


@pytest.mark.parametrize("recipient", ["split", "long-dot"])
async def test_replies_come_in_any_shape(connection: Connection, recipient: str) -> None:
    ending = await transmit(connection, mail_to(recipient), Fences())

    assert ending.phase is Phase.REPLIED
    assert ending.reply is not None
    assert (ending.reply.code, ending.reply.enhanced) == (250, "2.0.0")


async def cancelled_before_the_dot(connection: Connection) -> None:
    """Transmit, and end that while the reply to DATA is on its way."""
    started = asyncio.Event()
    task = asyncio.ensure_future(
        transmit(connection, mail_to("delay-data-3600000"), Fences(on_spend=started.set))
    )
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_before_the_dot_it_closes_at_once(
    sink: Sink, connection: Connection
) -> None:
    await cancelled_before_the_dot(connection)

    assert connection.phase in (Phase.RCPT, Phase.DATA)
    assert not connection.past_dot
    assert not connection.dialogue.is_open
    assert sink.accepted == []


@pytest.mark.parametrize("recipient", ["refuse-rcpt", "refuse-data"])
async def test_cancelled_while_it_clears_up_it_keeps_what_it_was_told(
    sink: Sink, connection: Connection, recipient: str
) -> None:
    sink.reset_after = 3600
    task = asyncio.ensure_future(transmit(connection, mail_to(recipient), Fences()))
    await until(lambda: "RSET" in sink.commands)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert connection.ending is not None
    assert connection.ending.reply is not None
    assert connection.ending.reply.digit == 5
    assert not connection.dialogue.is_open


async def test_cancelled_while_its_permit_is_spent_it_keeps_a_refusal(
    connection: Connection,
) -> None:
    class Waiting(Fences):
        async def spend(self) -> bool:
            self.asked.append("spend")
            await asyncio.Event().wait()
            return True

    fences = Waiting()
    task = asyncio.ensure_future(transmit(connection, mail_to("refuse-rcpt"), fences))
    await until(lambda: "spend" in fences.asked)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert connection.ending == Ending(Phase.RCPT, Reply(550, "5.1.1", "5.1.1 no such mailbox"))


async def test_what_an_earlier_mail_was_told_is_not_said_of_a_later_one(
    connection: Connection,
) -> None:
    await transmit(connection, mail_to("refuse-rcpt"), Fences())
    await cancelled_before_the_dot(connection)

    assert connection.ending is None


async def test_past_the_dot_it_says_so(connection: Connection) -> None:
    task = asyncio.ensure_future(transmit(connection, mail_to("delay-dot-300"), Fences()))

    await until(lambda: connection.past_dot)

    assert (await task).phase is Phase.REPLIED
    assert not connection.past_dot


async def test_a_failing_guard_leaves_nothing_open(sink: Sink, connection: Connection) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transmit(connection, mail_to("ada"), Fences(on_spend=fail))

    assert not connection.dialogue.is_open
    assert sink.accepted == []


async def test_an_unasked_reply_ends_the_session(sink: Sink, connection: Connection) -> None:
    sink.drop_sessions()
    await until(lambda: not connection.dialogue.is_open)

    ending = await transmit(connection, mail_to("ada"), Fences())

    assert ending == Ending(Phase.GREETED)


@pytest.mark.parametrize(
    ("mail_from", "rcpt_to"),
    [
        ("a@b.example", "c@d.example>\r\nRCPT TO:<e@f.example"),
        ("a@b.example", "c d@e.example"),
        ("a@b.example", "c\x00@e.example"),
        ("a@b.example", "c@bücher.example"),
        ("a@b.example", ""),
        ("a b@c.example", "d@e.example"),
    ],
)
def test_an_envelope_takes_only_plain_addresses(mail_from: str, rcpt_to: str) -> None:
    with pytest.raises(ComposeError) as caught:
        Envelope(mail_from, rcpt_to, DATA)

    assert rcpt_to not in str(caught.value) or not rcpt_to


async def test_a_null_sender_is_one(sink: Sink, connection: Connection) -> None:
    await transmit(connection, Envelope("", "ada@example.test", DATA), Fences())

    assert sink.accepted[0].mail_from == ""
