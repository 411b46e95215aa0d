from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.keyring import Adoption


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "keyring.json"


def test_what_is_created_is_what_is_loaded(file: Path) -> None:
    created = keyring.create(file)

    assert keyring.load(file) == created


def test_the_file_is_the_owners_alone_and_the_only_one(file: Path) -> None:
    keyring.create(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["keyring.json"]


def test_every_key_is_its_own(file: Path) -> None:
    keyring.create(file)
    document = json.loads(file.read_text())

    found = [document["keks"]["1"]]
    found += [key["key"] for keys in document["sets"].values() for key in keys]

    assert len(found) == len(set(found)) == 9


def test_an_existing_keyring_is_never_overwritten(file: Path) -> None:
    created = keyring.create(file)

    with pytest.raises(KeyFileError, match="never overwritten"):
        keyring.create(file)

    assert keyring.load(file) == created
    assert [entry.name for entry in file.parent.iterdir()] == ["keyring.json"]


def test_a_missing_keyring_says_what_makes_one(file: Path) -> None:
    with pytest.raises(KeyFileError, match="gateway init"):
        keyring.load(file)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_keyring_that_others_may_read_is_refused(file: Path) -> None:
    keyring.create(file)
    file.chmod(0o640)

    with pytest.raises(KeyFileError, match="chmod 600"):
        keyring.load(file)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["sets"].pop("web"),
        lambda d: d.update(extra="x"),
        lambda d: d.update(format=3),
        lambda d: d.update(adopting=1),
        lambda d: d.update(active_kek=2),
        lambda d: d.update(active_kek=[1]),
        lambda d: d.update(keks={"one": d["keks"]["1"]}),
        lambda d: d.update(keks=[]),
        lambda d: d["sets"]["lookup"][0].update(key=d["keks"]["1"][:-8]),
        lambda d: d["sets"]["lookup"][0].update(key="!" * 44),
        lambda d: d["sets"].update(web=[]),
        lambda d: d["sets"]["rows"][0].update(kid="1"),
        lambda d: d["sets"]["rows"][0].update(state="gone"),
        lambda d: d["sets"]["rows"].append(d["sets"]["rows"][0]),
    ],
    ids=[
        "key missing",
        "key unknown",
        "other release",
        "no word of ours on its rows",
        "active key missing",
        "active key no number",
        "epoch no number",
        "keys no table",
        "key short",
        "key not base64",
        "no web key",
        "number no number",
        "state unknown",
        "number twice",
    ],
)
def test_a_damaged_keyring_is_refused_without_quoting_it(file: Path, damage: object) -> None:
    keyring.create(file)
    document = json.loads(file.read_text())
    assert callable(damage)
    damage(document)
    file.write_text(json.dumps(document))

    with pytest.raises(KeyFileError, match="damaged") as caught:
        keyring.load(file)

    assert str(document["keks"]) not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_keys_do_not_show_themselves(file: Path) -> None:
    created = keyring.create(file)

    assert json.loads(file.read_text())["sets"]["audit"][0]["key"] not in repr(created)
    assert "Secret(…)" in repr(created)


def test_a_keyring_of_the_first_release_holds_the_first_key_of_each_kind(file: Path) -> None:
    stored = Path(__file__).parents[1] / "data/c7d57fd/keyring.json"
    file.parent.mkdir(mode=0o700)
    file.write_bytes(stored.read_bytes())
    file.chmod(0o600)

    loaded = keyring.load(file)

    assert {kind: keys.kid for kind, keys in loaded.sets.items()} == dict.fromkeys(loaded.sets, 1)


def test_every_copy_of_a_keyring_of_the_first_release_makes_the_same_keys(tmp_path: Path) -> None:
    """Each machine may write its copy anew; marks of one must count on all."""
    stored = (Path(__file__).parents[1] / "data/c7d57fd/keyring.json").read_bytes()
    copies = []
    for name in ("one", "two"):
        path = tmp_path / name
        path.touch(0o600)
        path.write_bytes(stored)
        keyring.modernise(path, keyring.load(path))
        copies.append(keyring.current(path))

    assert copies[0] == copies[1]


def test_nobody_works_with_rows_that_an_upgrade_has_not_signed_to_the_end(file: Path) -> None:
    made = keyring.create(file)
    keyring.modernise(file, made, Adoption.BEGUN)

    assert keyring.load(file).adoption is Adoption.BEGUN
    with pytest.raises(KeyFileError, match="not signed yet"):
        keyring.current(file)

    keyring.modernise(file, keyring.load(file))
    assert keyring.current(file) == made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
@pytest.mark.parametrize(("mode", "taken"), [(0o440, True), (0o444, False), (0o460, False)])
def test_a_secret_that_is_mounted_may_be_read_by_our_group_and_nobody_else(
    tmp_path: Path, mode: int, taken: bool
) -> None:
    path = tmp_path / "keyring.json"
    made = keyring.create(path)
    os.chown(path, 12345, 0)
    path.chmod(mode)

    if taken:
        assert keyring.load(path) == made
    else:
        with pytest.raises(KeyFileError, match="open to other users"):
            keyring.load(path)
