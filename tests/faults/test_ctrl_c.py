"""Ctrl-C at a terminal: a command ends at once, with 130 and without a traceback.

At every moment of its beginning, too: whoever mistyped presses it soon.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.config import config

_GATEWAY = Path(sys.executable).with_name("gateway")
_PATIENCE = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(config.embedded_default())
    return tmp_path


def interrupted(folder: Path, until: str, *command: str) -> tuple[int, str]:
    """Press ctrl-c once *until* is on a terminal of its own; exit and what came after it."""
    child, terminal = pty.fork()
    if child == 0:
        # Ignored signals are handed down, and whoever runs the tests may ignore this one.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 a terminal needs it
    screen, pressed, end = b"", False, time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            screen += os.read(terminal, 65536)
        except OSError:  # so a terminal says that nobody is there any more
            break
        if not pressed and until.encode() in screen:
            os.write(terminal, b"\x03")
            pressed, screen = True, b""
    else:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert pressed, screen[-2000:]
    return code, screen.decode(errors="replace")


@pytest.mark.parametrize(
    "until",
    ["import 'typer.main'", "import 'gateway.cli.talk'", "import 'gateway.cli'", "'sqlalchemy'"],
)
def test_ctrl_c_while_a_command_is_read_shows_no_traceback(folder: Path, until: str) -> None:
    code, screen = interrupted(folder, until, "-v", str(_GATEWAY), "init")

    assert code == 130, screen[-2000:]
    assert not re.search(r"Traceback|KeyboardInterrupt|Exception ignored", screen)


def test_ctrl_c_at_a_question_ends_the_command(folder: Path) -> None:
    """The loop takes the first one for a task that would end it: but it waits for an answer."""
    (folder / "content.json").write_text('{"subject": "News", "text": "Hello."}')
    subprocess.run([_GATEWAY, "init"], cwd=folder, check=True, capture_output=True)
    campaign = ["campaign", "create", "--purpose", "newsletter", "--content", "content.json"]
    # Nobody agreed yet: one that began at once would not be made.
    tomorrow = time.gmtime(time.time() + 86400)
    campaign += ["--at", time.strftime("%Y-%m-%dT%H:%M:%SZ", tomorrow)]

    code, screen = interrupted(folder, "[y/N]", str(_GATEWAY), *campaign)
    listed = subprocess.run(
        [_GATEWAY, "campaign", "list"], cwd=folder, check=True, capture_output=True, text=True
    )

    assert (code, "Traceback" in screen) == (130, False), screen
    assert "cmp_" not in listed.stdout
