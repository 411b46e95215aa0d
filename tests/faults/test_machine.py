"""A machine unlike the one that a test was written on: started a minute ago, elsewhere, unnamed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import machine

ROOT = Path(__file__).parents[2]


def on_machine(*command: str) -> subprocess.CompletedProcess[str]:
    if not machine.is_allowed(young=machine.YOUNG, name=machine.BARE):
        pytest.skip("this kernel lets us have no clock and no name of our own")
    line = machine.in_namespaces(command, young=machine.YOUNG, name=machine.BARE)
    env = {**os.environ, "TZ": "America/St_Johns"}
    return subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_machine_is_as_young_and_far_and_nameless_as_it_was_asked_to_be() -> None:
    asked = "import socket, time; print(time.monotonic(), socket.gethostname(), time.timezone)"

    said = on_machine(sys.executable, "-c", asked).stdout.split()

    assert machine.YOUNG - 1 <= float(said[0]) < machine.YOUNG + 300
    assert said[1:] == [machine.BARE, "12600"]


@pytest.mark.timeout(600)
def test_a_gateway_works_on_a_machine_that_started_a_minute_ago_far_away_and_without_a_name() -> (
    None
):
    journey = ["-m", "pytest", "-q", "-k", "sqlite", "tests/promises/test_journey.py"]

    done = on_machine(sys.executable, *journey)

    assert done.returncode == 0, done.stdout[-4000:]
