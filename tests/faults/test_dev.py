"""`make run` leaves Ctrl-C to the gateway, which must drain; parts of `make check` run at once."""

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
time.sleep(300)
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
    out, err = process.communicate(timeout=60)

    assert (out, err, process.returncode) == ("drained\n", "", 0)


def test_parts_that_run_beside_each_other_say_each_its_own_and_one_that_fails_fails_all() -> None:
    says = "import sys, time; time.sleep({0}); print({1!r}); sys.exit({2})"
    parts = [says.format(0.3, "slow", 0), says.format(0, "fails", 3), says.format(0, "quick", 0)]
    commands = [[sys.executable, "-c", one] for one in parts]

    done = subprocess.run(
        [sys.executable, "-c", f"import sys, dev; sys.exit(dev.run_beside({commands!r}))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("slow\nfails\nquick\n", 3)
