from __future__ import annotations

from typing import Any

import pytest
from multidict import MultiDict

from gateway.errors import Invalid
from gateway.http.parsing import parse_value
from gateway.http.sign_ups import SignUpRequest
from gateway.people import page_models
from tests.support.bodies import pointers

HASH, OTHER = "sha256:" + "0" * 64, "sha256:" + "1" * 64
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
            ("text", OTHER),
            ("locale", ""),
            ("page_url", "https://www.acme.example/"),
            ("profile.first_name", "Ada"),
            ("profile.last_name", ""),
            ("homepage", ""),
        ]
    )

    asked = {"first_name", "last_name"}
    read = parse_value(page_models.signup_of(fields, asked), SignUpRequest)

    assert read == parse_value(
        {
            **SIGN_UP,
            "purposes": ["newsletter", "offers"],
            "texts": [HASH, OTHER],
            "page_url": "https://www.acme.example/",
            "profile": {"first_name": "Ada"},
        },
        SignUpRequest,
    )


def test_a_form_without_an_address_is_refused() -> None:
    body = page_models.signup_of(MultiDict([("email", "")]), set())

    assert set(pointers(body, SignUpRequest)) == {"/email", "/purposes", "/texts"}


def test_of_a_form_only_that_is_read_which_it_asks() -> None:
    fields = MultiDict(
        [
            ("email", "ada@example.org"),
            ("role", "admin"),
            ("role", "owner"),
            ("purposes", "newsletter"),
            ("texts", HASH),
            ("profile", "Ada"),
            ("profile.car", "red"),
            ("profile.car", "blue"),
        ]
    )

    body = page_models.signup_of(fields, {"first_name"})

    assert body == {"email": "ada@example.org", "purposes": [], "texts": [], "profile": {}}
    assert not [
        name
        for name in ("role", "profile", "profile.car")
        if page_models.is_asked(name, {"first_name"})
    ]


def test_the_same_answer_twice_is_one_and_another_is_wrong() -> None:
    twice = [("email", "ada@example.org"), ("purpose", "newsletter"), ("text", HASH)] * 2

    assert page_models.signup_of(MultiDict(twice), set()) == {**SIGN_UP, "profile": {}}
    with pytest.raises(Invalid):
        page_models.signup_of(MultiDict([*twice, ("email", "grace@example.org")]), set())


@pytest.mark.parametrize("said", ["Ada\nBcc: x", "Ada\r\nx", "A\u202eda", "A\u200bda", "A\u2028da"])
def test_a_correction_is_one_line_that_shows_what_it_holds(said: str) -> None:
    """As a form's answer is: it is printed into mails and pages."""
    with pytest.raises(Invalid) as error:
        page_models.corrections_of(MultiDict({"profile.first_name": said}))

    assert [one.pointer for one in error.value.errors] == ["/profile/first_name"]


def test_a_correction_may_be_empty_and_has_no_unseen_edges() -> None:
    fields = MultiDict({"profile.first_name": "", "profile.last_name": " Ada\u200b"})

    assert page_models.corrections_of(fields).profile == {"first_name": "", "last_name": "Ada"}
