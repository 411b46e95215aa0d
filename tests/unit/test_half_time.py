"""Long work rests for as long as it took, and no longer than it is told."""

from __future__ import annotations

from time import monotonic

import pytest

from gateway.flows.keeping.half_time import HalfTime


@pytest.mark.parametrize(
    ("took", "longest", "rests"),
    [(0.1, 1.0, 0.1), (0.2, 1.0, 0.2), (30.0, 0.15, 0.15)],
    ids=["little", "more", "it waited for somebody's lock"],
)
async def test_it_rests_as_long_as_it_worked_and_begins_to_count_anew(
    took: float, longest: float, rests: float
) -> None:
    now = 0.0
    half_time = HalfTime(longest, lambda: now)
    now = took

    begun = monotonic()
    await half_time.rest()
    first = monotonic() - begun
    await half_time.rest()

    assert rests <= first + 0.001 < rests + 1
    assert monotonic() - begun - first < rests * 0.9
