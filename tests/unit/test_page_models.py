from __future__ import annotations

from typing import Any

from multidict import MultiDict

from gateway.http.parsing import parse_value
from gateway.http.sign_ups import SignUpRequest
from gateway.people import page_models
from tests.support.bodies import pointers

HASH = "sha256:" + "0" * 64
SIGN_UP: dict[str, Any] = {
    "email": "ada@example.org",
    "purposes": ["newsletter"],
    "texts": [HASH],
}


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

    read = parse_value(page_models.signup_of(fields), SignUpRequest)

    assert read == parse_value(
        {
            **SIGN_UP,
            "purposes": ["newsletter", "offers"],
            "texts": [HASH, HASH],
            "page_url": "https://www.acme.example/",
            "profile": {"first_name": "Ada"},
        },
        SignUpRequest,
    )


def test_a_form_without_an_address_or_with_strange_fields_is_refused() -> None:
    fields = MultiDict([("email", ""), ("role", "admin")])

    body = page_models.signup_of(fields)

    assert set(pointers(body, SignUpRequest)) == {
        "/email",
        "/role",
        "/purposes",
        "/texts",
    }
