"""A backup that is killed, at every statement and every step on the disk, is none."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.backups import folders
from gateway.config import config
from gateway.errors import BackupError
from gateway.process import backup_check, initialise
from storage.clock import DatabaseClock
from tests.support.kills import Killed


@pytest.fixture
async def made(dialect: str, new_database_url: Callable[[str], str], tmp_path: Path) -> Path:
    raw = config.embedded_default()
    for name in ("gateway", "keystore"):
        raw = raw.replace(f"sqlite:///var/{name}.db", new_database_url(dialect))
    (tmp_path / "config.toml").write_text(raw)
    await initialise.initialise(config.load(tmp_path / "config.toml"), DatabaseClock())
    return tmp_path


@pytest.fixture
def killed(made: Path) -> Iterator[Killed]:
    runner = Killed(made / "config.toml")
    yield runner
    runner.close()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["", "disk:"], ids=["statements", "disk"])
async def test_a_backup_that_is_killed_is_none_and_the_next_one_is_whole(
    made: Path, killed: Killed, how: str
) -> None:
    place, loaded = made / "backups", config.load(made / "config.toml")
    whole, status = 0, -1
    for number in itertools.count(1):
        status = killed(f"{how}{number}", "backup", str(place))
        found = [one for one in place.glob("backup-*") if one.is_dir()]
        drafts = list(place.glob(".backup-*"))
        assert len(drafts) <= 1
        for draft in drafts:
            with pytest.raises(BackupError, match="not finished"):
                folders.newest(draft)
        # Killed behind its last step it has its name, and is whole.
        assert len(found) - whole in ((0, 1) if status else (1,))
        assert all((one / "manifest.json").is_file() for one in found)
        whole = len(found)
        if status == 0:
            break

    assert number > 15
    assert drafts == []
    assert (await backup_check.check(place, loaded, None)).ok


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_verification_that_is_killed_leaves_nothing_and_says_nothing(
    made: Path, killed: Killed
) -> None:
    place = made / "backups"
    assert killed("100000", "backup", str(place)) == 0

    for number in (1, 50, 200, 500):
        assert killed(f"{number}", "backup", "--verify", str(place)) == -signal.SIGKILL
    done = killed("100000", "backup", "--verify", str(place))

    assert done == 0
    assert list(place.glob(".scratch-*")) == []
