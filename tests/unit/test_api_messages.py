from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.messages import MessageRequest, MessageView
from gateway.errors import Invalid, MalformedJson, RequestError
from gateway.http.parsing import parse_json
from tests.support.bodies import pointers

MESSAGE: dict[str, Any] = {
    "to": {"email": "Ada@example.org"},
    "purpose": "newsletter",
    "content": {"subject": "Hello", "text": "Hello."},
}


def message(**changes: Any) -> dict[str, Any]:
    return {**MESSAGE, **changes}


def test_a_message_is_read() -> None:
    body = message(send_at="2026-11-23T10:00:00.5+01:00", reference="campaign 7")

    read = parse_json(json.dumps(body).encode(), MessageRequest, most=100_000)

    assert read.to.email is not None
    assert read.to.email.canonical == "ada@example.org"
    assert read.send_at == datetime(2026, 11, 23, 9, 0, 0, 500_000, tzinfo=UTC)
    assert read.expires_at is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param(message(to={}), "/to", id="to nobody"),
        pytest.param(
            message(to={"email": "ada@example.org", "subject_id": "sub_1"}), "/to", id="to two"
        ),
        pytest.param(message(to={"email": "ada"}), "/to/email", id="no address"),
        pytest.param(message(to={"email": 7}), "/to/email", id="address of wrong type"),
        pytest.param(message(to={"email": None}), "/to", id="null address"),
        pytest.param(message(to={"subject_id": "ada@"}), "/to/subject_id", id="no id"),
        pytest.param(message(purpose="News Letter"), "/purpose", id="no name"),
        pytest.param(message(content={}), "/content", id="nothing said"),
        pytest.param(message(content={"subject": "Hello"}), "/content", id="subject alone"),
        pytest.param(message(content={"text": "Hello."}), "/content", id="text alone"),
        pytest.param(
            message(content={"template": "welcome", "text": "x"}), "/content", id="both kinds"
        ),
        pytest.param(
            message(content={"template": "../x"}), "/content/template", id="path as template"
        ),
        pytest.param(
            message(content={"subject": "a\r\nBcc: b", "text": "x"}),
            "/content/subject",
            id="header in the subject",
        ),
        pytest.param(
            message(content={"subject": "a", "text": "\x00"}), "/content/text", id="NUL in text"
        ),
        pytest.param(
            message(content={"template": "a", "data": {"x": "y" * 70_000}}),
            "/content/data",
            id="much data",
        ),
        pytest.param(
            message(content={"template": "a", "data": {"x": float("nan")}}),
            "/content/data",
            id="no number",
        ),
        pytest.param(message(send_at="2026-11-23T10:00:00"), "/send_at", id="no offset"),
        pytest.param(message(send_at="2026-02-30T10:00:00Z"), "/send_at", id="no such day"),
        pytest.param(message(send_at="0001-01-01T00:00:00+10:00"), "/send_at", id="before time"),
        pytest.param(message(send_at=1_700_000_000), "/send_at", id="number as time"),
        pytest.param(message(send_at="1700000000"), "/send_at", id="number in text as time"),
        pytest.param(message(sendat="x"), "/sendat", id="unknown field"),
        pytest.param(message(reference="x" * 201), "/reference", id="long reference"),
    ],
)
def test_a_wrong_message_is_refused_at_the_field(body: object, pointer: str) -> None:
    assert pointers(body, MessageRequest) == [pointer]


def test_a_missing_field_is_named() -> None:
    assert pointers({}, MessageRequest) == ["/to", "/purpose", "/content"]


def test_public_names_are_those_of_the_contract() -> None:
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    view = MessageView(
        message_id="msg_1", status="queued", purpose="newsletter", created_at=at, send_at=None
    )
    shown = view.model_dump(mode="json")

    assert shown == {
        "message_id": "msg_1",
        "status": "queued",
        "purpose": "newsletter",
        "created_at": "2026-11-23T09:00:00Z",
        "send_at": None,
        "permit": None,
        "attempts": [],
    }


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_our_own_errors(body: bytes) -> None:
    with suppress(Invalid, MalformedJson):
        parse_json(body, MessageRequest, most=1000)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from([*MESSAGE, "send_at", "x y", ""]), _json))
def test_random_bodies_raise_only_our_own_errors(body: dict[str, Any]) -> None:
    with suppress(RequestError):
        parse_json(json.dumps(body).encode(), MessageRequest, most=100_000)
