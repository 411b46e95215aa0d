"""The sets of keys of a running process stand as the key store says; its file follows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent.keys.sets import KeyName, SetKey, Standing
from consent.keys.wrapping import proof
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.followed import FollowedKeyring
from gateway.keyfiles.followed_sets import FollowedSets
from storage.keysets import KeySet, KeyState

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keyring.create(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


class Process:
    def __init__(self, path: Path) -> None:
        self.ring = FollowedKeyring(path, keyring.load(path))
        self.sets = FollowedSets(self.ring)

    def learns(self, found: Standing, *gone: KeyName) -> KeySet:
        self.ring.refresh()
        self.sets.stand(found, gone, time.monotonic())
        return self.sets.sets["web"]


def told(keys: KeySet, **states: KeyState) -> Standing:
    return Standing(
        [
            SetKey(KeyName("web", number), state, NOW, proof(secret))
            for number, (secret, state) in enumerate(
                zip(keys.live.values(), states.values(), strict=True), 1
            )
        ]
    )


def in_file(path: Path) -> dict[int, KeyState]:
    return {key.kid: key.state for key in keyring.load(path).web.keys}


def test_a_key_that_is_used_is_used_by_whoever_held_the_set_before(path: Path) -> None:
    one, other = Process(path), Process(path)
    held = other.sets.sets["web"]
    one.sets.make("web", 2)

    other.learns(Standing())
    assert held.kid == 1
    found = told(held, first=KeyState.RETIRING, second=KeyState.ACTIVE)
    other.learns(found)

    assert held.kid == 2
    assert in_file(path) == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_already_is_not_made_again(path: Path) -> None:
    one = Process(path)
    made = one.sets.make("web", 2)

    assert one.sets.make("web", 2) == made
    assert Process(path).sets.sets["web"].get(2) == made.secret


def test_a_key_that_nothing_needs_leaves_memory_and_file_and_no_older_copy_brings_it_back(
    path: Path,
) -> None:
    old = path.read_bytes()
    one = Process(path)
    one.sets.make("web", 2)
    found = told(one.sets.sets["web"], first=KeyState.RETIRING, second=KeyState.ACTIVE)

    keys = one.learns(found, KeyName("web", 1))
    assert (keys.live.keys(), keys.get(1)) == ({2}, None)
    assert in_file(path) == {1: KeyState.DESTROYED, 2: KeyState.ACTIVE}

    path.write_bytes(old)
    assert one.learns(found).live.keys() == {2}


def test_a_file_that_cannot_be_written_keeps_nobody_from_going_on(path: Path) -> None:
    one = Process(path)
    one.sets.make("web", 2)
    copy = path.with_name("secret.json")
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o600)
    found = told(one.sets.sets["web"], first=KeyState.RETIRING, second=KeyState.ACTIVE)
    other = Process(copy)
    copy.unlink()

    assert other.learns(found).kid == 2


def test_the_keyring_that_is_to_follow_a_secret_has_the_next_key_and_today_s_states(
    path: Path,
) -> None:
    one = Process(path)
    out = path.with_name("next.json")

    one.sets.write_next(out, "web", Standing())

    assert in_file(out) == {1: KeyState.ACTIVE, 2: KeyState.ANNOUNCED}
    assert in_file(path) == {1: KeyState.ACTIVE}
    with pytest.raises(KeyFileError):
        one.sets.write_next(out, "web", Standing())
