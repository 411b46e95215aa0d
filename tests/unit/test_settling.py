"""Outcomes go into the database in groups, and out of the journal once they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from delivery.desk import Desk, Ended, Parcel
from delivery.journal import Journal
from delivery.outcome import Ending, Kind, Phase, Reply
from delivery.settling import Settling


@dataclass
class Writes:
    """A desk that writes what it is told, but for what it cannot."""

    cannot: Collection[str] = ()
    groups: list[list[str]] = field(default_factory=list)

    async def settle(self, owner: str, ended: Sequence[Ended[Any]]) -> Collection[str]:
        self.groups.append([one.parcel.message for one in ended])
        return [one.parcel.message for one in ended if one.parcel.message in self.cannot]


def sent(number: int, kind: Kind) -> Ended[None]:
    parcel = Parcel(f"msg_{number}", 1, f"per_{number}", "sub", kind, None)
    return Ended(parcel, Ending(Phase.REPLIED, Reply(250, "")))


async def settled(writes: Writes, journal: Journal, ended: Sequence[Ended[None]]) -> Settling[None]:
    """All of it, as a worker tells of it, up to the last."""
    settling = Settling(cast(Desk[None], writes), journal)
    settling.expect(one.parcel for one in ended)
    keeping = [asyncio.create_task(settling.keep_on(kind)) for kind in Kind]
    for one in ended:
        journal.dot(one.parcel.message, one.parcel.attempt)
        settling.add(one)
        for _ in range(3):  # whoever waits for nobody writes it now
            await asyncio.sleep(0)
    settling.no_more_come()
    await asyncio.gather(*keeping)
    return settling


async def test_those_of_a_campaign_wait_for_each_other_and_those_of_service_for_nobody(
    tmp_path: Path,
) -> None:
    writes = Writes()
    kinds = [Kind.SERVICE, Kind.MARKETING, Kind.MARKETING, Kind.SERVICE]
    with Journal.create(tmp_path, "wrk_x") as journal:
        settling = await settled(writes, journal, [sent(n, kind) for n, kind in enumerate(kinds)])

    assert writes.groups == [["msg_0"], ["msg_3"], ["msg_1", "msg_2"]]
    assert settling.is_whole
    assert settling.awaited == set()


async def test_what_the_database_does_not_take_stays_in_the_journal(tmp_path: Path) -> None:
    writes = Writes(cannot=["msg_1"])
    with Journal.create(tmp_path, "wrk_x") as journal:
        ended = [sent(n, Kind.MARKETING) for n in range(3)]
        settling = await settled(writes, journal, ended)

        assert not settling.is_whole
        assert set(journal._unsettled) == {("msg_1", 1)}
