"""A relay that is awkward in every way at once, and still gets each mail once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from delivery.desk import Claimed, Ended, Parcel
from delivery.transmission import Timeouts
from tests.smtp.test_worker import YesDesk, mails, working
from tests.support.sink import open_sink
from tests.support.waiting import until

BEHAVIOURS = ["fine", "greylist", "crowded", "stall", "split", "long-dot"]
OF_EACH = 5


class AgainDesk(YesDesk):
    """Tries again at once what ended without a yes, as often as it takes."""

    def __init__(self, parcels: Sequence[Parcel]) -> None:
        self.waiting = list(parcels)
        super().__init__(self._waiting())

    def _waiting(self) -> Iterator[Parcel]:
        while self.waiting:
            yield self.waiting.pop(0)

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        self._left = self._waiting()  # it has more than when it last came to its end
        return await super().claim(owner, wanted, marketing=marketing, most=most)

    async def settle(self, owner: str, ended: Sequence[Ended]) -> Collection[str]:
        for one in ended:
            reply = one.ending.reply
            if reply is None or reply.digit != 2:
                self.waiting.append(replace(one.parcel, attempt=one.parcel.attempt + 1))
        return await super().settle(owner, ended)


@pytest.mark.parametrize("pipelining", [True, False], ids=["together", "one by one"])
async def test_a_relay_that_is_awkward_in_every_way_gets_each_mail_once(
    tmp_path: Path, pipelining: bool
) -> None:
    """Replies by the byte, 451 and 452 first, 421 after three mails, a stall that is given up."""
    of_each = {one: list(islice(mails(one), OF_EACH)) for one in BEHAVIOURS}
    wanted = [
        replace(parcel, message=f"{behaviour}-{parcel.message}", permit=f"{behaviour}-{n}")
        for behaviour, parcels in of_each.items()
        for n, parcel in enumerate(parcels)
    ]
    desk = AgainDesk(wanted)
    async with open_sink(pipelining=pipelining) as sink:
        sink.by_byte, sink.each = True, 3
        timeouts = Timeouts(rcpt=5)  # what comes by the byte comes slowly where others work
        async with working(desk, sink, tmp_path, connections=4, timeouts=timeouts):
            await until(lambda: len({one.rcpt_to for one in sink.accepted}) == len(wanted))

    arrived = Counter(one.rcpt_to for one in sink.accepted)
    assert set(arrived.values()) == {1}
    tries = Counter(one.rcpt_to.partition(".")[0] for one in sink.transactions if one.rcpt_at)
    assert tries == Counter(
        {one: OF_EACH * (2 if one in ("greylist", "crowded", "stall") else 1) for one in BEHAVIOURS}
    )
