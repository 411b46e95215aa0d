"""What `gateway audit verify` says of a log that is not as it should be."""

from __future__ import annotations

import pytest

from audit.report import Findings, Level, Problem
from gateway.cli import audit


def test_a_log_that_is_cut_off_is_said_with_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    findings = Findings()
    findings.add(Problem.STATE, 3, "its state is another")
    findings.cut_off(7, "a checkpoint covers 9 entries; ask for a newer export")

    audit._tell(findings.report(7, Level.SIGNED), ())

    assert capsys.readouterr().out.splitlines() == [
        "FAILED: first bad index 3",
        "FAILED: cut off after 7: a checkpoint covers 9 entries; ask for a newer export",
        f"  {Problem.STATE} at index 3: its state is another",
    ]


def test_of_very_many_findings_the_place_alone_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    findings = Findings(limit=1)
    findings.add(Problem.STATE, None, "its state is another")
    findings.cut_off(7, "not kept any more")

    audit._tell(findings.report(7, Level.SIGNED), ())

    assert capsys.readouterr().out.splitlines()[0] == "FAILED: cut off after 7"
