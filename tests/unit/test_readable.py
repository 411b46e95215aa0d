"""What reads of what was taken: data, keys and keyring have to fit together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.breaches.readable import (
    Concerned,
    KeyLife,
    KeyLives,
    Matter,
    Reach,
    Store,
    Taken,
    decide,
    furthest,
    missing,
    readable_people,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = KeyLives([KeyLife(1)], [KeyLife(1)])
# Epoch 1 was followed by 2 ten days ago; everything was wrapped anew nine days ago, and keyrings
# let it go eight days ago. The look-up key likewise.
_OLD = KeyLife(1, None, NOW - 9 * DAY, NOW - 8 * DAY)
ROTATED = KeyLives([_OLD, KeyLife(2, NOW - 10 * DAY)], [_OLD, KeyLife(2, NOW - 10 * DAY)])
READABLE = (Matter.PROFILE, Matter.EVIDENCE, Matter.STAFF, Matter.KNOWN, Matter.FACTS)


def taken(**days: int) -> list[Taken]:
    """Copies by how many days old they are."""
    return [Taken(Store(name), NOW - old * DAY, NOW - old * DAY) for name, old in days.items()]


def reaches(what: Sequence[Taken], lives: KeyLives = FIRST) -> dict[Matter, Reach]:
    return {one.matter: one.reach for one in decide(what, lives)}


@pytest.mark.parametrize(
    ("what", "lacking"),
    [
        pytest.param(taken(data=0), (Store.KEYSTORE, Store.KEYRING), id="data alone"),
        pytest.param(taken(data=0, keystore=0), (Store.KEYRING,), id="a whole backup"),
        pytest.param(taken(data=0, keyring=0), (Store.KEYSTORE,), id="no key store"),
    ],
)
def test_sealed_data_stays_closed_without_both_of_its_keys(
    what: list[Taken], lacking: tuple[Store, ...]
) -> None:
    found = reaches(what)

    assert {found[one] for one in (Matter.PROFILE, Matter.EVIDENCE, Matter.STAFF)} == {Reach.SEALED}
    assert missing(what, FIRST) == lacking
    assert readable_people(what, FIRST) is None


def test_data_key_store_and_keyring_together_read() -> None:
    what = taken(data=0, keystore=0, keyring=0)

    assert {reaches(what)[one] for one in READABLE} == {Reach.READABLE}
    assert missing(what, FIRST) == ()
    assert readable_people(what, FIRST) == Concerned(NOW, NOW)


@pytest.mark.parametrize(
    ("what", "reads"),
    [
        pytest.param(taken(data=20, keystore=20, keyring=20), True, id="all of before"),
        pytest.param(taken(data=0, keystore=0, keyring=0), True, id="all of today"),
        pytest.param(taken(data=0, keystore=0, keyring=20), False, id="a keyring of before"),
        pytest.param(taken(data=20, keystore=20, keyring=0), False, id="a backup of before"),
        pytest.param(taken(data=20, keystore=0, keyring=0), True, id="old data, keys of today"),
        # Between the re-wrap and the release a keyring still held the epoch before.
        pytest.param(taken(data=20, keystore=20, keyring=8), True, id="a keyring not yet let go"),
        pytest.param(
            taken(data=0, keystore=10, keyring=20), True, id="a key store half re-wrapped"
        ),
    ],
)
def test_keys_of_one_epoch_are_opened_by_a_keyring_of_that_epoch(
    what: list[Taken], reads: bool
) -> None:
    found = reaches(what, ROTATED)

    assert found[Matter.PROFILE] is (Reach.READABLE if reads else Reach.SEALED)
    assert missing(what, ROTATED) == (() if reads else (Store.KEYRING,))


def test_a_store_that_lay_open_for_days_is_taken_as_of_each_of_them() -> None:
    open_for_weeks = [Taken(store, NOW - 20 * DAY, NOW) for store in (Store.DATA, Store.KEYSTORE)]
    old_keyring = taken(keyring=20)

    assert reaches([*open_for_weeks, *old_keyring], ROTATED)[Matter.PROFILE] is Reach.READABLE


def test_of_copies_of_other_days_those_read_who_are_in_both() -> None:
    what = taken(data=5, keystore=2, keyring=0)

    assert readable_people(what, ROTATED) == Concerned(NOW - 2 * DAY, NOW - 5 * DAY)


def test_with_the_keyring_beside_the_data_an_address_can_be_guessed() -> None:
    found = reaches(taken(data=0, keyring=0))

    assert found[Matter.KNOWN] is found[Matter.FACTS] is Reach.BY_GUESSING
    assert reaches(taken(data=20, keyring=0), ROTATED)[Matter.KNOWN] is Reach.SEALED


@pytest.mark.parametrize(
    ("what", "reach"),
    [
        pytest.param(taken(data=0), Reach.PSEUDONYMOUS, id="data"),
        pytest.param(taken(keystore=0), Reach.PSEUDONYMOUS, id="key store"),
        pytest.param(taken(guard=0), Reach.PSEUDONYMOUS, id="guard"),
        pytest.param(taken(keyring=0), Reach.NOT_TAKEN, id="keyring"),
        pytest.param(taken(logs=0), Reach.NOTHING, id="logs"),
        pytest.param(taken(exports=0), Reach.READABLE, id="exports"),
        pytest.param([], Reach.NOT_TAKEN, id="nothing"),
    ],
)
def test_what_one_thing_alone_tells(what: list[Taken], reach: Reach) -> None:
    assert furthest(decide(what, FIRST)) is reach


@given(
    what=st.lists(
        st.builds(
            lambda s, d: Taken(s, NOW - d * DAY, NOW), st.sampled_from(Store), st.integers(0, 30)
        ),
        max_size=6,
    ),
    more=st.builds(
        lambda s, d: Taken(s, NOW - d * DAY, NOW), st.sampled_from(Store), st.integers(0, 30)
    ),
)
def test_who_took_more_never_reads_less(what: list[Taken], more: Taken) -> None:
    order = list(Reach)
    fewer, further = reaches(what, ROTATED), reaches([*what, more], ROTATED)

    assert all(order.index(further[one]) >= order.index(fewer[one]) for one in Matter)
