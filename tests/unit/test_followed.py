"""The keyring of a running process follows its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.keyfiles import keyring
from gateway.keyfiles.followed import FollowedKeyring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keyring.create(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


def followed(path: Path) -> FollowedKeyring:
    return FollowedKeyring(path, keyring.load(path))


def test_what_one_process_made_the_others_of_its_machine_learn(path: Path) -> None:
    one, other = followed(path), followed(path)
    other.refresh()

    assert one.make_kek([1]) == 2
    other.refresh()

    assert other.ring.keks == keyring.load(path).keks == one.ring.keks
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_older_copy_that_is_put_back_takes_nothing_from_a_process(path: Path) -> None:
    old = path.read_bytes()
    one = followed(path)
    one.make_kek([1])

    path.write_bytes(old)
    one.refresh()

    assert one.ring.keks.keys() == {1, 2}


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 9}'])
def test_a_copy_that_is_under_way_is_looked_at_again(path: Path, content: bytes) -> None:
    whole = path.read_bytes()
    one = followed(path)
    path.write_bytes(content)
    one.refresh()

    path.write_bytes(whole)
    one.refresh()

    assert one.ring == keyring.load(path)


def test_another_key_of_a_number_that_is_held_is_not_taken(path: Path) -> None:
    one = followed(path)
    mine = one.ring.keks[1]
    path.unlink()
    keyring.create(path)

    one.refresh()

    assert one.ring.keks[1] == mine


def test_the_epoch_that_wraps_is_never_let_go(path: Path) -> None:
    one = followed(path)
    one.make_kek([1])

    assert not one.let_go([1], 3)
    assert one.let_go([1], 2)
    assert one.let_go([1], 2)

    assert one.ring.keks.keys() == keyring.load(path).keks.keys() == {2}
    assert keyring.load(path).active_kek == 2


def test_what_another_process_added_meanwhile_stays(path: Path) -> None:
    one, other = followed(path), followed(path)
    one.make_kek([1])
    other.make_kek([1, 2])

    one.let_go([1], 2)

    assert keyring.load(path).keks.keys() == {2, 3}
