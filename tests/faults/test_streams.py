"""Commands whose stdin, stdout or stderr is closed, full or a pipe that nobody reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port

_HERE = Path(__file__).parents[2]
_OURS = re.compile(r"Traceback|\.py\b|Exception ignored|Assertion|uncaught")
_LOST = re.compile(
    r"stdout cannot be written: (No space left on device|Bad file descriptor|Broken pipe);"
    r" what was done stands, its result is lost: give stdout a place that takes it"
)
# One that is done before any loop runs; one that opens the databases; one that hears first.
_COMMANDS = ("forms snippet newsletter", "audit keys", "keys status --json")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("streams") / "config.toml"
    raw = (_HERE / "config.toml").read_text()
    file.write_text(raw.replace("127.0.0.1:2525", f"127.0.0.1:{free_port()}"))
    made = ran(file, "init")
    assert made.returncode == 0, made.stderr
    return file


def ran(config: Path, command: str, redirected: str = "") -> subprocess.CompletedProcess[str]:
    """As a shell runs it; what its exit is stands for the command's, also in a pipe."""
    line = f'"{sys.executable}" -m gateway --config "{config}" {command} {redirected}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=_HERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("redirected", [">/dev/full", ">&-", "| true"])
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_result_that_cannot_be_written_is_told_as_such(
    config: Path, command: str, redirected: str
) -> None:
    refused = ran(config, command, redirected)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert len(_LOST.findall(refused.stderr)) == 1, refused.stderr
    assert not _OURS.search(refused.stderr)


@pytest.mark.parametrize("redirected", ["<&-", "2>&-", "2>/dev/full", "<&- 2>&-"])
def test_what_nobody_says_or_hears_is_no_obstacle(config: Path, redirected: str) -> None:
    done = ran(config, "keys status --json", redirected)

    assert done.returncode == 0, done.stderr
    assert '"epoch"' in done.stdout


def test_a_closed_stdin_has_no_address(config: Path) -> None:
    refused = ran(config, "erase --email-stdin --yes", "<&-")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("stdin has no address: it is empty; give one alone")
