"""A template prints words and numbers of what it was given, or is told what cannot be printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from delivery.errors import TemplateError
from delivery.templates import Templates
from gateway.look.translations import translations

FRAME: dict[str, Any] = {"locale": "en", "sender": {"name": "Acme"}}
FILES = {
    "subject.txt": "Hello",
    "print": "{{ name }}",
    "message": '{{ gettext("Hello %(who)s", who=name) }}',
    "join": '{{ name ~ "!" }}',
    "filter": "{{ name|upper }}",
    "loop": "{% for one in names %}{{ one }};{% endfor %}",
    "inner": "{{ card.name }}",
    "choose": "{% if name %}Dear {{ name }}{% else %}Hello{% endif %}",
}
FILES["tests"] = " ".join(
    f"{{% if name is {kind} %}}{kind}{{% endif %}}"
    for kind in ("none", "boolean", "true", "false", "integer")
)
FILES["equal"] = "{% if name == none %}none{% elif name == true %}true{% endif %}"
WAYS = ["print", "message", "join", "filter"]


def render(directory: Path, way: str, ending: str, data: dict[str, Any]) -> str:
    folder = directory / "mail"
    folder.mkdir(exist_ok=True)
    (folder / "subject.txt").write_text(FILES["subject.txt"])
    (folder / f"body.{ending}").write_text(FILES[way])
    made = Templates(directory, translations).render("mail", "en", data, FRAME, footer=False)
    return (made.html if ending == "html" else made.text) or ""


@pytest.mark.parametrize("ending", ["txt", "html"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [["a"], {"a": "b"}, [], {}, True, False, None], ids=str)
def test_what_is_no_text_is_printed_in_no_way(
    tmp_path: Path, way: str, ending: str, value: Any
) -> None:
    with pytest.raises(TemplateError) as told:
        render(tmp_path, way, ending, {"other": "x", "name": value})

    assert told.value.unprintable == "/name"


@pytest.mark.parametrize(
    ("way", "data", "at"),
    [
        ("loop", {"names": ["a", ["b"]]}, "/names/1"),
        ("inner", {"card": {"name": {"first": "Ada"}}}, "/card/name"),
        ("inner", {"card": {"name": None, "of": True}}, "/card/name"),
    ],
    ids=["in a list", "in an object", "a null in an object"],
)
def test_the_value_is_pointed_to(tmp_path: Path, way: str, data: Any, at: str) -> None:
    with pytest.raises(TemplateError) as told:
        render(tmp_path, way, "txt", data)

    assert told.value.unprintable == at


@pytest.mark.parametrize(
    ("way", "data", "expected"),
    [
        ("print", {"name": 7}, "7"),
        ("print", {"name": 1.5}, "1.5"),
        ("loop", {"names": ["a", "b"]}, "a;b;"),
        ("inner", {"card": {"name": "Ada"}}, "Ada"),
        ("choose", {"name": None}, "Hello"),
        ("choose", {"name": []}, "Hello"),
        ("choose", {"name": "Ada"}, "Dear Ada"),
        ("tests", {"name": None}, "none"),
        ("tests", {"name": True}, "boolean true"),
        ("tests", {"name": False}, "boolean false"),
        ("tests", {"name": 1}, "integer"),
        ("equal", {"name": None}, "none"),
        ("equal", {"name": True}, "true"),
    ],
)
def test_what_reads_as_words_is_printed_and_everything_may_be_looked_at(
    tmp_path: Path, way: str, data: Any, expected: str
) -> None:
    assert render(tmp_path, way, "txt", data).split() == expected.split()


@pytest.mark.parametrize("name", ["", "  ", "\t", "\u00a0", "\u200b", " \u2060\ufeff "], ids=ascii)
def test_what_nobody_would_see_counts_as_nothing(tmp_path: Path, name: str) -> None:
    assert render(tmp_path, "choose", "txt", {"name": name}).strip() == "Hello"
