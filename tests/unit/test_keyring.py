from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gateway.errors import KeyFileError
from gateway.keyfiles import keyring


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

    found = [document["keks"]["1"], document["web"][0]]
    found += [value for value in document.values() if isinstance(value, str)]

    assert len(found) == len(set(found)) == 8


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
        lambda d: d.pop("web"),
        lambda d: d.update(extra="x"),
        lambda d: d.update(format=2),
        lambda d: d.update(active_kek=2),
        lambda d: d.update(active_kek=[1]),
        lambda d: d.update(keks={"one": d["blind_index"]}),
        lambda d: d.update(keks=[]),
        lambda d: d.update(blind_index=d["blind_index"][:-8]),
        lambda d: d.update(blind_index="!" * 44),
        lambda d: d.update(web=[]),
    ],
    ids=[
        "key missing",
        "key unknown",
        "other release",
        "active key missing",
        "active key no number",
        "epoch no number",
        "keys no table",
        "key short",
        "key not base64",
        "no web key",
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

    assert str(document["audit_mac"]) not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_keys_do_not_show_themselves(file: Path) -> None:
    created = keyring.create(file)

    assert json.loads(file.read_text())["audit_mac"] not in repr(created)
    assert "Secret(…)" in repr(created)
