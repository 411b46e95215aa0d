from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from consent.honesty import first_consent_mac, granting
from consent.model import Evidence, State
from storage.secret import Secret
from tests.support.rows import ROWS

OURS = json.loads((Path(__file__).parents[1] / "vectors/consent.json").read_text())
WRITTEN = SimpleNamespace(
    id="con_1",
    subject="sub_1",
    purpose="newsletter",
    text_hash="sha256:a",
    form="newsletter",
    locale="en",
    state=State.CONFIRMED,
    evidence=Evidence.PROVEN,
    requested_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
    lapses_at=datetime(2026, 11, 26, 9, tzinfo=UTC),
    decided_at=datetime(2026, 11, 23, 9, 5, 0, 250, tzinfo=UTC),
    ends_at=None,
    eid=bytes(range(16)),
)


def test_the_mac_of_the_first_release_is_the_vector() -> None:
    vector = OURS["consent_mac"]
    label = vector["key"].removeprefix("SHA-256('").removesuffix("')")
    key = hashlib.sha256(label.encode()).digest()

    assert first_consent_mac(Secret(key), WRITTEN).hex() == vector["mac_hex"]


@pytest.mark.parametrize(
    ("column", "forged"),
    [
        ("id", "con_2"),
        ("subject", "sub_2"),
        ("purpose", "offers"),
        ("text_hash", "sha256:b"),
        ("form", "other"),
        ("locale", "de"),
        ("state", State.WITHDRAWN),
        ("evidence", Evidence.ASSERTED),
        ("requested_at", datetime(2025, 11, 23, 9, tzinfo=UTC)),
        ("lapses_at", datetime(2027, 11, 26, 9, tzinfo=UTC)),
        ("decided_at", datetime(2026, 11, 23, 9, 5, 0, 251, tzinfo=UTC)),
        ("decided_at", None),
        ("ends_at", datetime(2029, 1, 1, tzinfo=UTC)),
        ("eid", bytes(16)),
    ],
)
def test_a_consent_with_any_column_altered_is_not_honest(column: str, forged: object) -> None:
    signed = ROWS.sign("consent", *granting(WRITTEN))
    altered = SimpleNamespace(**{**vars(WRITTEN), column: forged})

    assert ROWS.fits("consent", *signed, granting(WRITTEN))
    assert not ROWS.fits("consent", *signed, granting(altered))
