from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from pydantic import BaseModel

from consent.model import Reason, RefusalClass
from gateway.errors import Invalid, MalformedJson, RequestError
from gateway.http import models
from gateway.http.parsing import parse_json, parse_value
from gateway.people import page_models

HASH = "sha256:" + "0" * 64
MESSAGE: dict[str, Any] = {
    "to": {"email": "Ada@example.org"},
    "purpose": "newsletter",
    "content": {"subject": "Hello", "text": "Hello."},
}
WITHDRAWAL: dict[str, Any] = {
    "to": {"subject_id": "sub_1"},
    "purpose": "newsletter",
    "kind": "withdraw",
    "channel": "phone",
}
SIGN_UP: dict[str, Any] = {
    "email": "ada@example.org",
    "purposes": ["newsletter"],
    "texts": [HASH],
}


def pointers(body: object, model: type[BaseModel]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        parse_json(json.dumps(body).encode(), model)
    return [error.pointer for error in caught.value.errors]


def message(**changes: Any) -> dict[str, Any]:
    return {**MESSAGE, **changes}


def test_a_message_is_read() -> None:
    body = message(send_at="2026-11-23T10:00:00.5+01:00", reference="campaign 7")

    read = parse_json(json.dumps(body).encode(), models.MessageRequest)

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
    assert pointers(body, models.MessageRequest) == [pointer]


def test_a_missing_field_is_named() -> None:
    assert pointers({}, models.MessageRequest) == ["/to", "/purpose", "/content"]


def test_at_most_twenty_errors_are_named() -> None:
    many = {**SIGN_UP, "texts": ["x"] * 50}

    assert len(pointers(many, models.SignUpRequest)) == 20


def test_each_message_of_a_batch_is_checked_alone() -> None:
    body = {"messages": [MESSAGE, {"to": 7}]}

    batch = parse_json(json.dumps(body).encode(), models.BatchRequest)
    first = parse_value(batch.messages[0], models.MessageRequest)
    with pytest.raises(Invalid) as caught:
        parse_value(batch.messages[1], models.MessageRequest)

    assert first.purpose == "newsletter"
    assert {error.pointer for error in caught.value.errors} == {"/to", "/purpose", "/content"}


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand_messages(count: int) -> None:
    assert pointers({"messages": [MESSAGE] * count}, models.BatchRequest) == ["/messages"]


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
    assert pointer in pointers({**WITHDRAWAL, **changes}, models.WithdrawalRequest)


def test_a_withdrawal_of_everything_names_no_purpose() -> None:
    body = {name: value for name, value in WITHDRAWAL.items() if name != "purpose"}

    read = parse_json(json.dumps({**body, "all": True}).encode(), models.WithdrawalRequest)

    assert (read.all, read.purpose) == (True, None)


def test_a_plain_form_says_the_same_as_json() -> None:
    fields = MultiDict(
        [
            ("email", "ada@example.org"),
            ("purpose", "newsletter"),
            ("purpose", "offers"),
            ("text", HASH),
            ("text", HASH),
            ("locale", ""),
            ("page_url", "https://www.acme.example/"),
            ("profile.first_name", "Ada"),
            ("profile.last_name", ""),
            ("homepage", ""),
        ]
    )

    read = parse_value(page_models.signup_of(fields), models.SignUpRequest)

    assert read == parse_value(
        {
            **SIGN_UP,
            "purposes": ["newsletter", "offers"],
            "texts": [HASH, HASH],
            "page_url": "https://www.acme.example/",
            "profile": {"first_name": "Ada"},
        },
        models.SignUpRequest,
    )


def test_a_form_without_an_address_or_with_strange_fields_is_refused() -> None:
    fields = MultiDict([("email", ""), ("role", "admin")])

    body = page_models.signup_of(fields)

    assert set(pointers(body, models.SignUpRequest)) == {
        "/email",
        "/role",
        "/purposes",
        "/texts",
    }


def test_an_address_does_not_show_in_what_was_read() -> None:
    read = parse_value(SIGN_UP, models.SignUpRequest)

    assert "ada" not in repr(read)


def test_public_names_are_those_of_the_contract() -> None:
    refused = models.BatchRefused(
        reason=Reason.WITHDRAWN, refusal_class=RefusalClass.NEVER
    ).model_dump(mode="json", by_alias=True)
    shown = models.MessageView(message_id="msg_1", status="queued").model_dump(mode="json")

    assert refused == {"status": "refused", "reason": "withdrawn", "class": "never"}
    assert shown == {"message_id": "msg_1", "status": "queued", "permit": None, "attempts": []}


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_our_own_errors(body: bytes) -> None:
    with suppress(Invalid, MalformedJson):
        parse_json(body, models.MessageRequest)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from([*MESSAGE, "send_at", "x y", ""]), _json))
def test_random_bodies_raise_only_our_own_errors(body: dict[str, Any]) -> None:
    with suppress(RequestError):
        parse_json(json.dumps(body).encode(), models.MessageRequest)
