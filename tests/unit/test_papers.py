"""What a paper says is text, whoever typed it."""

from __future__ import annotations

import json

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


def test_what_turns_a_line_around_or_is_not_seen_is_shown_as_such() -> None:
    (block,) = paper(Words("a\u202eb\u2066c\x00d\x1be\ud800\tf\u200d")).document()["blocks"]

    assert block["text"] == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd f\u200d"


def test_a_paper_names_nobody_in_a_traceback() -> None:
    shown = repr(paper(Words("ada@example.org"), Facts([("Name", "Ada")]), Table([], [("Ada",)])))

    assert "ada" not in shown.lower()
