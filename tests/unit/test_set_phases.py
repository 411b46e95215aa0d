from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from consent.keys import set_phases
from consent.keys.phases import Declared
from consent.keys.set_phases import NEEDS, RESTS, Activate, Destroy, Release, Renew, Step
from consent.keys.sets import KeyName, SetKey, Standing
from consent.keys.wrapping import proof
from storage.keysets import Key, KeyState
from storage.secret import Secret

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRETS = {n: Secret(bytes([n]) * 32) for n in range(1, 4)}
STATES = {state.value: state for state in KeyState}


@dataclass(frozen=True)
class Taken:
    taken_at: datetime
    wrapping: frozenset[int] = field(default_factory=frozenset)


def row(number: int, state: str, kind: str = "rows", **more: datetime) -> SetKey:
    mark = proof(SECRETS[number])
    return SetKey(KeyName(kind, number), STATES[state], NOW, mark, told=state, **more)


def key(number: int, state: str) -> Key:
    gone = state == "destroyed"
    return Key(number, STATES[state], None if gone else SECRETS[number])


def shown(keys: list[Key]) -> dict[int, str]:
    return {one.kid: str(one.state) for one in keys}


def stood(
    ours: Mapping[int, str], rows: list[SetKey], foreign: frozenset[int] = frozenset()
) -> tuple[dict[int, str], frozenset[int]]:
    keys = [key(number, state) for number, state in ours.items()]
    found, lacking = set_phases.stand(keys, "rows", Standing(rows, foreign))
    return shown(found), lacking


NEW = {1: "active", 2: "announced"}


@pytest.mark.parametrize(
    ("ours", "rows", "stands"),
    [
        pytest.param(NEW, [], NEW, id="no row: as the keyring"),
        pytest.param(
            NEW,
            [row(1, "retiring"), row(2, "active")],
            {1: "retiring", 2: "active"},
            id="the key store is ahead",
        ),
        pytest.param(
            {1: "retiring", 2: "active"},
            [row(1, "active"), row(2, "announced")],
            {1: "retiring", 2: "active"},
            id="the keyring is ahead, beside an older key store",
        ),
        pytest.param(
            {1: "destroyed", 2: "active"},
            [row(1, "active")],
            {1: "destroyed", 2: "active"},
            id="a key that is gone does not come back",
        ),
        pytest.param(
            {1: "active"},
            [row(1, "destroyed", released_at=NOW)],
            {1: "active"},
            id="no row alone takes a key away",
        ),
    ],
)
def test_a_key_only_goes_on(
    ours: Mapping[int, str], rows: list[SetKey], stands: Mapping[int, str]
) -> None:
    assert stood(ours, rows) == (stands, frozenset())


def test_who_lacks_the_newest_key_says_so_and_goes_on_by_the_one_before() -> None:
    rows = [row(1, "retiring"), row(2, "active")]

    assert stood({1: "active"}, rows) == ({1: "active"}, {2})


def test_another_key_of_the_number_that_was_announced_is_none_of_ours() -> None:
    other = Key(2, KeyState.ANNOUNCED, SECRETS[3])
    told = Standing([row(1, "retiring"), row(2, "active")])

    found, lacking = set_phases.stand([key(1, "active"), other], "rows", told)

    assert (shown(found), lacking) == ({1: "active"}, {2})


@pytest.mark.parametrize(
    ("rows", "lacking"),
    [
        pytest.param([], {7}, id="not one row is ours: we are behind"),
        pytest.param([row(1, "active")], set(), id="one is ours: somebody planted the other"),
    ],
)
def test_a_keyring_that_reads_no_row_at_all_is_behind(
    rows: list[SetKey], lacking: set[int]
) -> None:
    assert stood({1: "active"}, rows, frozenset({1, 7}))[1] == lacking


def test_what_nothing_needs_leaves_memory_and_keeps_its_number() -> None:
    ours = [key(1, "retiring"), key(2, "active")]

    found, _ = set_phases.stand(ours, "rows", Standing(), [KeyName("rows", 1)])

    assert found[0] == Key(1, KeyState.DESTROYED, None)


NOTHING, ALL = Declared(), Declared(no_backups=True, copies_replaced=True)
LATER, BEFORE = Taken(NOW + timedelta(hours=1)), Taken(NOW - timedelta(hours=1))


def over(kind: str, **more: datetime) -> SetKey:
    return row(1, "retiring", kind, **more)


@pytest.mark.parametrize(
    ("one", "backup", "declared", "step"),
    [
        pytest.param(row(1, "active"), None, ALL, None, id="active: it rests"),
        pytest.param(over("rows"), None, ALL, Renew, id="retiring: rows are made anew"),
        pytest.param(over("rows", renewed_at=NOW), None, NOTHING, None, id="no backup yet"),
        pytest.param(over("rows", renewed_at=NOW), BEFORE, NOTHING, None, id="an older backup"),
        pytest.param(over("rows", renewed_at=NOW), BEFORE, ALL, None, id="there is an older one"),
        pytest.param(over("rows", renewed_at=NOW), LATER, NOTHING, Release, id="a later backup"),
        pytest.param(over("rows", renewed_at=NOW), None, ALL, Release, id="none at all"),
        pytest.param(over("web", renewed_at=NOW), None, NOTHING, Release, id="no backup needs it"),
        pytest.param(
            over("rows", renewed_at=NOW, released_at=NOW), None, NOTHING, Destroy, id="let go"
        ),
        pytest.param(
            over("suppression", renewed_at=NOW, released_at=NOW),
            None,
            NOTHING,
            None,
            id="copies tell of addresses",
        ),
        pytest.param(
            over("suppression", renewed_at=NOW, released_at=NOW),
            None,
            ALL,
            Destroy,
            id="copies were replaced",
        ),
    ],
)
def test_what_comes_next(
    one: SetKey, backup: Taken | None, declared: Declared, step: type[Step] | None
) -> None:
    steps = set_phases.next_steps([one], {}, backup, declared)

    assert [type(found) for found in steps] == ([] if step is None else [step])


def test_a_new_key_is_used_once_nobody_lacks_it() -> None:
    new = row(2, "announced")

    assert set_phases.next_steps([new], {new.name: ("host/1",)}, None, NOTHING) == []
    assert set_phases.next_steps([new], {new.name: ()}, None, NOTHING) == [Activate(new.name)]


@pytest.mark.parametrize(
    ("after", "oldest", "rests"),
    [
        pytest.param(RESTS - timedelta(seconds=1), None, False, id="a day has not passed"),
        pytest.param(RESTS, None, True, id="a day has passed"),
        pytest.param(RESTS, timedelta(), False, id="a transaction is open since then"),
        pytest.param(RESTS, RESTS, True, id="one that was begun now"),
    ],
)
def test_a_key_rests_for_a_day_after_its_last_use(
    after: timedelta, oldest: timedelta | None, rests: bool
) -> None:
    since = None if oldest is None else NOW + oldest

    assert set_phases.rested(row(1, "retiring"), NOW + after, since) is rests


@pytest.mark.parametrize(
    ("keys", "may"),
    [
        pytest.param([row(1, "active")], True, id="one that rests"),
        pytest.param([row(1, "active"), row(2, "announced")], False, id="one that is new"),
        pytest.param([row(1, "retiring"), row(2, "active")], False, id="one that is replaced"),
        pytest.param([over("suppression")], True, id="one that may stay for ever"),
        pytest.param([row(1, "destroyed"), row(2, "active")], True, id="one that is gone"),
    ],
)
def test_one_key_of_a_kind_follows_at_a_time(keys: list[SetKey], *, may: bool) -> None:
    assert set_phases.may_begin(keys, NOW + RESTS) is may


def test_every_kind_says_what_its_end_waits_for() -> None:
    for kind in NEEDS:
        one = over(kind, renewed_at=NOW, released_at=NOW)
        said = set_phases.waits_for(one, (), (), NOW)
        assert said is not None
    assert set_phases.waits_for(row(1, "active"), (), (), NOW) is None
    held = set_phases.waits_for(over("rows"), (), ("API key key_1",), NOW)
    assert held == "kept by API key key_1"


@pytest.mark.parametrize("state", ["announced", "active"])
def test_a_key_that_another_followed_comes_into_use_no_more(state: str) -> None:
    keys = [row(1, state), row(2, "active"), row(3, "active", kind="web")]

    assert set_phases.next_steps(keys, {}, None, Declared()) == [
        set_phases.Retire(KeyName("rows", 1))
    ]
    assert set_phases.may_begin(keys[:2], NOW)
