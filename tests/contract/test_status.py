"""`gateway status`, as the operator runs it."""

from __future__ import annotations

import pytest

from tests.support.commands import Run, levels


@pytest.mark.usefixtures("initialised")
def test_status_of_a_new_gateway_fits_one_screen(run: Run) -> None:
    shown = run("status")
    machine = run("status", "--json").json

    assert shown.status == 0
    assert len(shown.out.splitlines()) < 24
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "none: nothing is delivered" in shown.out
    assert machine["outbox"]["by_status"] == {"queued": 0, "deferred": 0, "sending": 0}
    assert (machine["intake_waiting"], machine["audit"]["pending"]) == (0, 0)


@pytest.mark.usefixtures("initialised")
def test_status_and_doctor_say_what_the_last_verification_came_to(run: Run) -> None:
    assert run("audit", "verify").status == 0
    newer = run("audit", "verify", "--newer", "--json").json

    shown = run("status")
    machine = run("status", "--json").json["audit"]["verified"]

    assert (newer["ok"], newer["whole"]) == (True, False)
    assert "all well" in shown.out
    assert (machine["ok"], machine["scope"], machine["size"]) == (True, "newer", newer["size"])
    assert levels(run("doctor", "--json"), "verification") == {"ok"}
    assert run("audit", "verify", "--newer", "--bundle", "x").status == 2
