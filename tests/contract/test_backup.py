"""`gateway backup`, as the operator runs it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from gateway.backups import folders
from gateway.errors import BackupError
from tests.support.commands import Run

# Each command opens everything: on the other database that is left to `make test-long`.
BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@BOTH
@pytest.mark.usefixtures("initialised")
def test_a_backup_is_made_verified_and_told_of(run: Run, tmp_path: Path) -> None:
    place, lost = tmp_path / "backups", tmp_path / "backups/.backup-20260101T000000.000Z.part"
    before = run("doctor", "--json")
    lost.mkdir(parents=True)
    (lost / "data.rows.gz").write_bytes(b"killed")

    made = run("backup", str(place))
    verified = run("backup", "--verify", str(place))

    assert (made.status, verified.status) == (0, 0)
    backup = Path(made.out.strip())
    assert backup.parent == place
    assert not lost.exists()
    assert sorted(one.name for one in place.iterdir()) == [".lock", backup.name]
    assert "Not encrypted" in made.err
    assert verified.out.startswith(f"ok: {backup.name}, taken 20")
    assert "newest verified one taken " in run("status").out
    assert "none was verified" in before.out
    assert "the newest verified one is 0 hours old" in run("doctor", "--json").out


@BOTH
@pytest.mark.usefixtures("initialised")
def test_what_is_no_whole_backup_of_ours_is_refused_and_not_told_of(
    run: Run, tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"{identity}\n")
    place, recipient = str(tmp_path / "backups"), str(identity.to_public())
    nothing = run("backup", "--verify", place)
    backup = Path(run("backup", place, "--recipient", recipient).out.strip())
    keys = backup / "keystore.rows.gz.age"
    whole = keys.read_bytes()

    closed = run("backup", "--verify", place)
    keys.write_bytes(whole[:-1])
    cut = run("backup", "--verify", place, "--identity", str(tmp_path / "identity"))
    keys.write_bytes(whole)
    draft = backup.with_name(f".{backup.name}.part")
    backup.rename(draft)
    unfinished = run("backup", "--verify", str(draft))
    draft.rename(backup)
    opened = run("backup", "--verify", place, "--identity", str(tmp_path / "identity"))
    known = run("status", "--json").json["verified_backup"]

    assert [one.status for one in (nothing, closed, cut, unfinished, opened)] == [1, 1, 1, 1, 0]
    assert "there is no backup at" in nothing.err
    assert "--identity" in closed.err
    assert "its hash is another one" in cut.err
    assert "was not finished" in unfinished.err
    assert known["id"] == backup.name
    assert run("backup", place, "--recipient", "age1x").err.startswith("gateway: age1x is no age")
    assert run("backup", "--verify", place, "--recipient", recipient).status == 2


def test_two_that_are_taken_at_once_do_not_remove_each_others_drafts(tmp_path: Path) -> None:
    with (
        folders.alone(tmp_path),
        folders.draft(tmp_path, "backup-20260101T000000.000Z") as draft,
    ):
        with pytest.raises(BackupError, match="another backup"), folders.alone(tmp_path):
            pass
        assert draft.is_dir()
        (draft / "manifest.json").write_text(json.dumps({}))

    assert folders.newest(tmp_path).name == "backup-20260101T000000.000Z"


def test_a_backup_is_named_by_when_it_was_taken() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 67_890, tzinfo=UTC)

    assert folders.name(moment) == "backup-20260102T030405.067Z"
