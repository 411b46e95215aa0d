"""`gateway dkim rotate` says what DNS was asked, and what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.dkim_rotating import asked
from gateway.keyfiles.dkim_keys import Record
from gateway.keyfiles.dkim_rotation import Next


@pytest.mark.parametrize(
    ("held", "told"),
    [
        pytest.param(None, "no resolver answered", id="nobody there"),
        pytest.param([], "it holds none", id="nothing"),
        pytest.param(["v=DKIM1\nx. IN A 1"], 'it holds another: "v=DKIM1\\nx. IN A 1"', id="other"),
        pytest.param(["ours"], "it holds the record", id="ours"),
    ],
)
def test_no_line_of_a_record_becomes_a_line_of_the_zone(held: list[str] | None, told: str) -> None:
    record = Record("acme", "gw1", "gw1._domainkey.acme.example", "TXT", "ours")

    said = asked(Next("acme.example", Path("gw1.next"), record, held))

    assert said == f"asked DNS for TXT gw1._domainkey.acme.example: {told}"
