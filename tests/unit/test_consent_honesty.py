"""Honest rows of consents: the published vector, and every column altered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from consent.honesty import consent_mac, honest
from consent.model import Evidence, State
from storage.secret import Secret
from tests.support.vectors import CONSENT, KEY, key_of

WRITTEN: dict[str, Any] = {
    "id": "con_1",
    "subject": "sub_1",
    "purpose": "newsletter",
    "text_hash": "sha256:a",
    "state": State.CONFIRMED,
    "evidence": Evidence.PROVEN,
    "requested_at": datetime(2026, 11, 23, 9, tzinfo=UTC),
    "decided_at": datetime(2026, 11, 23, 9, 5, 0, 250, tzinfo=UTC),
    "ends_at": None,
    "eid": bytes(range(16)),
}


def test_the_mac_of_a_row_is_the_vector() -> None:
    vector = CONSENT["consent_mac"]

    assert consent_mac(Secret(key_of(vector["key"])), **WRITTEN).hex() == vector["mac_hex"]


@pytest.mark.parametrize(
    ("column", "forged"),
    [
        ("id", "con_2"),
        ("subject", "sub_2"),
        ("purpose", "offers"),
        ("text_hash", "sha256:b"),
        ("state", State.WITHDRAWN),
        ("evidence", Evidence.ASSERTED),
        ("requested_at", datetime(2025, 11, 23, 9, tzinfo=UTC)),
        ("decided_at", datetime(2026, 11, 23, 9, 5, 0, 251, tzinfo=UTC)),
        ("decided_at", None),
        ("ends_at", datetime(2029, 1, 1, tzinfo=UTC)),
        ("eid", bytes(16)),
    ],
)
def test_a_row_with_any_column_altered_is_not_honest(column: str, forged: object) -> None:
    key = Secret(KEY)
    stored = consent_mac(key, **WRITTEN)

    assert honest(stored, consent_mac(key, **WRITTEN))
    assert not honest(stored, consent_mac(key, **{**WRITTEN, column: forged}))


def test_a_moment_is_the_same_in_every_time_zone() -> None:
    elsewhere = WRITTEN["decided_at"].astimezone(timezone(timedelta(hours=5)))
    key = Secret(KEY)

    assert consent_mac(key, **WRITTEN) == consent_mac(key, **{**WRITTEN, "decided_at": elsewhere})


def test_values_cannot_move_from_one_column_to_the_next() -> None:
    key = Secret(KEY)
    shifted = {**WRITTEN, "id": "con_1s", "subject": "ub_1"}

    assert consent_mac(key, **WRITTEN) != consent_mac(key, **shifted)
