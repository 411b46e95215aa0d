"""What docs/operations.md tells an operator to type, typed: every block that is marked `sh`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Run

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
# Of Debian's package `age`, which is not a Python package.
_AGE_KEYGEN = """#!{python}
import sys, pyrage
how, path = sys.argv[1:]
if how == "-o":
    made = pyrage.x25519.Identity.generate()
    open(path, "x").write(f"# public key: {{made.to_public()}}\\n{{made}}\\n")
else:
    line = open(path).read().split()[-1]
    print(pyrage.x25519.Identity.from_str(line).to_public())
"""


def blocks(heading: str) -> list[str]:
    section = OPERATIONS.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def typed(folder: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Type commands as they stand there; `/var` is the test's own."""
    tools = folder / "bin"
    tools.mkdir()
    (tools / "age-keygen").write_text(_AGE_KEYGEN.format(python=sys.executable))
    (tools / "age-keygen").chmod(0o755)
    for place in ("backups", "safe"):
        (folder / "var" / place).mkdir(parents=True)
    path = f"{tools}:{Path(sys.executable).parent}:{os.defpath}"
    environment = {"PATH": path, "GATEWAY_CONFIG": str(folder / "config.toml"), "LC_ALL": "C.UTF-8"}

    def run(commands: str) -> subprocess.CompletedProcess[str]:
        ours = commands.replace("/var/", f"{folder}/var/")
        shell = ["sh", "-eu", "-c", ours]
        return subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.long
def test_backups_are_made_tried_encrypted_and_go_as_it_is_written(
    run: Run, folder: Path, typed: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    assert run("init").status == 0
    plain, encrypted, old = blocks("Backups")

    first = typed(plain)
    second = typed(encrypted)
    made = sorted((folder / "var/backups/gateway").glob("backup-*"))
    for days, one in ((31, made[0]), (29, made[1])):
        moment = one.stat().st_mtime - days * 86400
        os.utime(one, (moment, moment))
    third = typed(old)

    assert (first.returncode, first.stderr.count("Not encrypted")) == (0, 1), first.stderr
    assert first.stdout.splitlines()[0] == str(made[0])
    assert first.stdout.splitlines()[1].startswith(f"ok: {made[0].name}")
    assert "newest verified one taken" in first.stdout.splitlines()[-1]
    assert (second.returncode, second.stderr.count("Not encrypted")) == (0, 0), second.stderr
    assert second.stdout.splitlines()[1].startswith(f"ok: {made[1].name}")
    assert third.returncode == 0, third.stderr
    assert sorted((folder / "var/backups/gateway").glob("backup-*")) == [made[1]]
