"""Ctrl-C in `make run` reaches the gateway too: it must be left to drain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_DRAINS = """
import signal, sys, time
def drain(*_):
    time.sleep(0.6)
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, drain)
print("ready", flush=True)
time.sleep(30)
"""


def test_ctrl_c_waits_until_the_command_has_ended() -> None:
    outer = f"import sys, dev; sys.exit(dev.run([sys.executable, '-c', {_DRAINS!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", outer],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert (out, err, process.returncode) == ("drained\n", "", 0)
