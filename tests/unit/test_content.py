"""What messages are to say: every form that the first release stored, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.errors import ContentError
from gateway.flows.sending.content import (
    CallersParts,
    CallersTemplate,
    Content,
    OurMail,
    Wording,
    of_caller,
    read,
    write,
)

VECTORS = Path(__file__).parent.parent / "vectors" / "content.json"
STORED = {one["name"]: one["bytes"].encode() for one in json.loads(VECTORS.read_text())["stored"]}
TOKEN = "dG9rZW50b2tlbnRva2VudG9rZW50b2tlbnRva2VudG8"
SAID: dict[str, Content] = {
    "confirmation": OurMail(
        "confirmation",
        {"confirm": f"https://mail.acme.example/confirm/{TOKEN}"},
        "de",
        (Wording("Rundbrief", "Ja, ich möchte den Rundbrief – „immer“."),),
    ),
    "fresh link": OurMail("my_data", {"my_data": f"https://mail.acme.example/my-data/{TOKEN}"}),
    "template": CallersTemplate(
        "welcome", {"first_name": "Zoë", "n": [1, 2.5, None, True, {"a": "b"}]}, "welcome-1"
    ),
    "template without data": CallersTemplate("welcome", {}),
    "parts": CallersParts("Grüße", "<p>Grüße</p>", "Grüße & mehr", "ticket-17"),
    "parts, html alone": CallersParts("Grüße", "<p>Grüße</p>", "Grüße"),
    "parts, html whole": CallersParts("Grüße", "<p>Grüße</p>", "Grüße", whole=True),
    "parts, text alone": CallersParts("Grüße", None, "Hallo"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.sampled_from(["template", "data", "links", "subject"]), some)
        | st.dictionaries(st.sampled_from(["template", "links", "consents", "title"]), some)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", STORED)
def test_what_the_first_release_stored_is_read_and_written_again(name: str) -> None:
    assert read(STORED[name]) == SAID[name]
    assert write(SAID[name]) == STORED[name]


@given(st.text(), st.dictionaries(st.text(), st.text()), st.none() | st.text())
def test_whatever_a_caller_says_comes_back(
    word: str, data: dict[str, str], reference: str | None
) -> None:
    for said in (
        CallersTemplate(word, data, reference),
        CallersParts(word, None, word, reference),
        CallersParts(word, word, None, reference),
        CallersParts(word, word, word, reference, whole=True),
    ):
        assert read(write(said)) == said


def test_html_that_an_earlier_release_accepted_becomes_a_page_and_one_that_is_stays() -> None:
    old = read(write(CallersParts("s", "<p>a</p><!-- b")))
    assert isinstance(old, CallersParts)
    page = old.page()

    assert page is not None
    assert page.startswith("<!doctype html>")
    assert "<!--" not in page
    assert CallersParts("s", page, whole=True).page() == page
    assert CallersParts("s", None, "t").page() is None


def test_data_cannot_make_a_callers_mail_one_of_ours() -> None:
    said = of_caller({"template": "welcome", "data": {"links": {}, "consents": []}}, None)

    assert read(write(said)) == said


def test_what_a_later_release_adds_is_passed_over() -> None:
    said = json.loads(STORED["confirmation"])
    said["consents"][0]["later"] = said["later"] = "unknown"

    assert read(json.dumps(said).encode()) == SAID["confirmation"]


@given(st.binary() | JSON.map(lambda one: json.dumps(one).encode()))
def test_anything_else_is_no_content(raw: bytes) -> None:
    try:
        found = read(raw)
    except ContentError:
        return
    assert isinstance(found, Content)
