"""Long work rests for a third as long as it took, longer where it woke late, as told at most."""

from __future__ import annotations

import asyncio

import pytest

from gateway.flows.keeping.part_time import PartTime


class Times:
    """What the clock says, one after the other; the last one from then on."""

    def __init__(self, *said: float) -> None:
        self._said = list(said)

    def __call__(self) -> float:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


@pytest.mark.parametrize(
    ("said", "longest", "rests"),
    [
        ((0.0, 0.3, 0.4), 1.0, 0.1),
        ((0.0, 0.6, 0.8), 1.0, 0.2),
        ((0.0, 30.0, 30.15), 0.15, 0.15),
        ((0.0, 0.3, 0.45), 1.0, 0.3),
    ],
    ids=["little", "more", "it waited for somebody's lock", "it woke late"],
)
async def test_it_rests_a_third_as_long_as_it_worked_and_begins_to_count_anew(
    said: tuple[float, ...], longest: float, rests: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    part_time = PartTime(longest, Times(*said))

    await part_time.rest()
    first = sum(slept)
    await part_time.rest()

    assert first == pytest.approx(rests)
    assert sum(slept) == first
