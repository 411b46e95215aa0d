"""`gateway breach`: for whoever has a shell, and no desk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Run


@pytest.mark.usefixtures("initialised")
def test_a_backup_that_was_lost_is_worked_out_for_people_and_machines(
    run: Run, tmp_path: Path
) -> None:
    before = run("status", "--json").json["audit"]["pending"]
    asked = ("breach", "--case", "INC-1", "--took", "data", "--took", "keystore@2026-01-01")

    told = run(*asked, "--locale", "de", "-o", str(tmp_path / "breach.pdf"))
    found = json.loads(run(*asked, "--json", "-o", str(tmp_path / "breach.json")).out)

    assert (told.status, "Art. 33 Abs. 1 DSGVO" in told.out) == (0, True)
    assert found["would_open_with"] == ["keyring"] and found["case"] == "INC-1"
    assert {one["store"] for one in found["taken"]} == {"data", "keystore", "guard"}
    assert (tmp_path / "breach.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads((tmp_path / "breach.json").read_text())["format"] == found["format"]
    assert (tmp_path / "breach.pdf").stat().st_mode & 0o077 == 0
    assert run("status", "--json").json["audit"]["pending"] == before + 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--took", "laptop"), "--took: data, keystore"),
        (("--took", "data@May"), "--took: data, keystore"),
        (("--took", "data", "--since", "2099-01-01"), "in this order"),
        (("--took", "data", "-o", "x.txt"), "ends in .pdf, .json"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
@pytest.mark.usefixtures("initialised")
def test_what_makes_no_sense_is_said_so(run: Run, more: tuple[str, ...], said: str) -> None:
    refused = run("breach", "--case", "INC-1", *more)

    assert (refused.status, refused.out) == (2, "")
    assert said in " ".join(refused.err.replace("│", " ").split())
