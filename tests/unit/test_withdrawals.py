from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.withdrawals import WithdrawalRequest
from gateway.http.parsing import parse_json
from tests.support.bodies import pointers

WITHDRAWAL: dict[str, Any] = {
    "to": {"subject_id": "sub_1"},
    "purpose": "newsletter",
    "kind": "withdraw",
    "channel": "phone",
}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"all": True}, ""),
        ({"all": False}, "/all"),
        ({"kind": "complain"}, "/kind"),
        ({"channel": ""}, "/channel"),
    ],
    ids=["purpose and all", "not all", "other kind", "no channel"],
)
def test_a_wrong_withdrawal_is_refused(changes: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers({**WITHDRAWAL, **changes}, WithdrawalRequest)


def test_a_withdrawal_of_everything_names_no_purpose() -> None:
    body = {name: value for name, value in WITHDRAWAL.items() if name != "purpose"}

    read = parse_json(json.dumps({**body, "all": True}).encode(), WithdrawalRequest, most=1000)

    assert (read.all, read.purpose) == (True, None)
