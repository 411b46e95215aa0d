from __future__ import annotations

import json
from typing import Any

import pytest

from consent.model import Reason, RefusalClass
from gateway.api.batches import BatchRefused, BatchRequest
from gateway.api.messages import MessageRequest
from gateway.errors import Invalid
from gateway.http.parsing import parse_json, parse_value
from tests.support.bodies import pointers

MESSAGE: dict[str, Any] = {
    "to": {"email": "Ada@example.org"},
    "purpose": "newsletter",
    "content": {"subject": "Hello", "text": "Hello."},
}


def test_each_message_of_a_batch_is_checked_alone() -> None:
    body = {"messages": [MESSAGE, {"to": 7}]}

    batch = parse_json(json.dumps(body).encode(), BatchRequest, most=100_000)
    first = parse_value(batch.messages[0], MessageRequest)
    with pytest.raises(Invalid) as caught:
        parse_value(batch.messages[1], MessageRequest)

    assert first.purpose == "newsletter"
    assert {error.pointer for error in caught.value.errors} == {"/to", "/purpose", "/content"}


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand_messages(count: int) -> None:
    assert pointers({"messages": [MESSAGE] * count}, BatchRequest) == ["/messages"]


def test_public_names_are_those_of_the_contract() -> None:
    refused = BatchRefused(reason=Reason.WITHDRAWN, refusal_class=RefusalClass.NEVER)

    said = refused.model_dump(mode="json", by_alias=True)

    assert said == {"status": "refused", "reason": "withdrawn", "class": "never"}
