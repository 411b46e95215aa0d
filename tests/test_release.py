"""What is handed out is built by one command, the same by whoever builds the same commit."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.unit.test_vendored import vendored

pytestmark = [
    pytest.mark.wide,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone to build from"),
]


def released(folder: Path) -> dict[str, bytes]:
    """Each file of a release, by its name."""
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", ROOT, folder], check=True)
    subprocess.run([sys.executable, "dev.py", "release"], cwd=folder, check=True)
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}


def test_a_release_is_package_list_and_sums_and_the_same_when_built_again(tmp_path: Path) -> None:
    files = released(tmp_path / "one")
    sums = files.pop("SHA256SUMS").decode().splitlines()
    listed = json.loads(files["sbom.cdx.json"])
    locked = re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)

    assert {name.rpartition(".")[2] for name in files} == {"whl", "gz", "json"}
    assert sorted(sums) == sorted(
        f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in files.items()
    )
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "consent-gateway"
    of_npm = {(one["name"], one["version"]) for one in vendored()}
    assert {(one["name"], one["version"]) for one in listed["components"]} == of_npm | set(locked)
    assert all(
        hashed["alg"] in ("SHA-256", "SHA-512")
        for one in listed["components"]
        for source in one["externalReferences"]
        for hashed in source["hashes"]
    )
    (built,) = (name for name in files if name.endswith(".whl"))
    again = tmp_path / "one/dist-again"
    command = ["-m", "build", "--no-isolation", "--wheel", "--outdir", again]
    own = tmp_path / "one/.venv/bin/python"
    dated = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=tmp_path / "one")
    subprocess.run(
        [own, *command],
        cwd=tmp_path / "one",
        check=True,
        env={"SOURCE_DATE_EPOCH": dated.decode().strip(), "PATH": "/usr/bin:/bin"},
    )
    assert (again / built).read_bytes() == files[built]
