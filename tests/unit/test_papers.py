"""What a paper says is text, whoever typed it."""

from __future__ import annotations

import json

import pytest

from gateway.look.papers import Facts, Heading, Listing, Paper, Quote, Table, Words


def paper(*blocks: object) -> Paper:
    return Paper("Your data", "de-AT", "Acme GmbH", "foot", blocks)  # type: ignore[arg-type]


def test_every_word_of_a_paper_is_among_its_values() -> None:
    blocks = (
        Heading("Above", 2),
        Words("a\r\nb"),
        Quote("Ja", "de"),
        Listing(["c"]),
        Facts([("Name", "Ada")]),
        Table(["When"], [("now",)]),
    )

    assert json.loads(paper(*blocks).to_json()) == {
        "title": "Your data",
        "author": "Acme GmbH",
        "foot": "foot",
        "lang": "de",
        "blocks": [
            {"kind": "heading", "text": "Above", "level": 2},
            {"kind": "words", "text": "a\nb"},
            {"kind": "quote", "text": "Ja", "lang": "de"},
            {"kind": "list", "items": ["c"]},
            {"kind": "facts", "facts": [["Name", "Ada"]]},
            {"kind": "table", "head": ["When"], "rows": [["now"]]},
        ],
    }


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt-BR", "pt"),
        ("zh-Hans", "zh"),
        ("gsw", "gsw"),
        ("gsw-CH", "gsw"),
        ("x", "und"),
        ("english", "und"),
        ("", "und"),
    ],
)
def test_who_sets_it_is_told_the_language_and_a_page_the_whole_tag(tag: str, language: str) -> None:
    made = Paper("Your data", tag, "Acme GmbH", "foot", [Quote("Ja", tag)])

    given, shown = json.loads(made.to_json()), made.document()
    assert (given["lang"], given["blocks"][0]["lang"]) == (language, language)
    assert (shown["lang"], shown["blocks"][0]["lang"]) == (tag, tag)


def test_what_turns_a_line_around_or_is_not_seen_is_shown_as_such() -> None:
    (block,) = paper(Words("a\u202eb\u2066c\x00d\x1be\ud800\tf\u200d")).document()["blocks"]

    assert block["text"] == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd f\u200d"


def test_a_paper_names_nobody_in_a_traceback() -> None:
    shown = repr(paper(Words("ada@example.org"), Facts([("Name", "Ada")]), Table([], [("Ada",)])))

    assert "ada" not in shown.lower()
