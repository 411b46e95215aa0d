"""What comes next in the life of a key-encryption key."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from consent.keys import phases
from consent.keys.epochs import Epoch, EpochState
from consent.keys.phases import Activate, Declared, Destroy, Release, Rewrap, Step, Wait

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACTIVE = Epoch(2, EpochState.ACTIVE, NOW)
NEW = Epoch(3, EpochState.ANNOUNCED, NOW, proof="00" * 8)
OLD = Epoch(1, EpochState.RETIRING, NOW)
REWRAPPED = Epoch(1, EpochState.RETIRING, NOW, rewrapped_at=NOW)
RELEASED = Epoch(1, EpochState.RETIRING, NOW, rewrapped_at=NOW, released_at=NOW)


@dataclass(frozen=True)
class Backed:
    taken_at: datetime
    wrapping: Collection[int] = (2,)


@pytest.mark.parametrize(
    ("epoch", "lacking", "backup", "declared", "step"),
    [
        pytest.param(NEW, ["a/1"], None, Declared(), Wait(3, ("a/1",)), id="somebody lacks it"),
        pytest.param(NEW, [], None, Declared(), Activate(3), id="everybody has it"),
        pytest.param(OLD, [], None, Declared(True, True), Rewrap(1), id="it still wraps"),
        pytest.param(REWRAPPED, [], None, Declared(), None, id="no backup"),
        pytest.param(REWRAPPED, [], Backed(NOW), Declared(), None, id="a backup of that moment"),
        pytest.param(REWRAPPED, [], Backed(NOW + HOUR, (1, 2)), Declared(), None, id="one with it"),
        pytest.param(REWRAPPED, [], Backed(NOW + HOUR), Declared(), Release(1), id="one without"),
        pytest.param(REWRAPPED, [], None, Declared(True), Release(1), id="none exist"),
        pytest.param(REWRAPPED, [], Backed(NOW), Declared(True), None, id="one was verified"),
        pytest.param(REWRAPPED, [], None, Declared(False, True), None, id="copies came too early"),
        pytest.param(RELEASED, [], None, Declared(), None, id="copies of the keyring"),
        pytest.param(RELEASED, [], None, Declared(False, True), Destroy(1), id="replaced"),
        pytest.param(ACTIVE, [], Backed(NOW + HOUR), Declared(True, True), None, id="it wraps"),
    ],
)
def test_an_epoch_takes_the_step_that_nothing_speaks_against(
    epoch: Epoch, lacking: list[str], backup: Backed | None, declared: Declared, step: Step | None
) -> None:
    found = phases.next_steps([epoch], {epoch.epoch: lacking}, backup, declared)

    assert found == ([] if step is None else [step])


def test_a_row_that_no_gateway_wrote_takes_none() -> None:
    planted = Epoch(1, EpochState.RETIRING, NOW, rewrapped_at=NOW, released_at=NOW, honest=False)

    assert phases.next_steps([planted], {}, Backed(NOW + HOUR), Declared(True, True)) == []


@pytest.mark.parametrize(
    ("epochs", "read"),
    [
        pytest.param([ACTIVE], True, id="it wrapped then"),
        pytest.param([REWRAPPED, Epoch(2, EpochState.ACTIVE, NOW + 2 * HOUR)], True, id="retiring"),
        pytest.param(
            [Epoch(1, EpochState.DESTROYED, NOW), Epoch(2, EpochState.ACTIVE, NOW + 2 * HOUR)],
            False,
            id="only what came later",
        ),
        pytest.param(
            [Epoch(1, EpochState.DESTROYED, NOW, honest=False), Epoch(2, EpochState.ACTIVE, NOW)],
            True,
            id="somebody else says that it is gone",
        ),
        pytest.param([], True, id="nothing is known"),
    ],
)
def test_copies_are_read_until_every_epoch_of_that_time_is_destroyed(
    epochs: list[Epoch], read: bool
) -> None:
    assert phases.copies_read(epochs, NOW + HOUR) is read


def test_one_follows_another_and_none_follows_two() -> None:
    assert phases.may_begin([ACTIVE])
    assert not phases.may_begin([RELEASED, ACTIVE])
    assert not phases.may_begin([ACTIVE, NEW])


@pytest.mark.parametrize("state", [EpochState.ANNOUNCED, EpochState.ACTIVE])
def test_an_epoch_that_another_followed_comes_into_use_no_more(state: EpochState) -> None:
    put_back = replace(NEW, epoch=ACTIVE.epoch - 1, state=state)

    steps = phases.next_steps([put_back, ACTIVE], {}, None, Declared())

    assert steps == [phases.Retire(put_back.epoch)]
    assert phases.may_begin([put_back, ACTIVE])
