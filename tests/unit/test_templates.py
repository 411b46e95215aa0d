"""Mail templates: rendered, translated, bounded, and refused where something is missing."""

from __future__ import annotations

import gettext
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery import markup
from delivery import templates as module
from delivery.errors import TemplateError
from delivery.mime import Content
from delivery.templates import Templates, Values

FRAME: Values = {
    "locale": "en",
    "sender": {"name": "Acme & Sons"},
    "links": {"unsubscribe": "https://x.example/u/1?a=1&b=2"},
}
FILES = {
    "_footer.txt": "-- \nLeave: {{ frame.links.unsubscribe }}\n",
    "_footer.css": "p {}\n",
    "_frame.css": "b {}\n",
    "_footer.html": '<p><a href="{{ frame.links.unsubscribe }}">Leave</a></p>',
    "hello/subject.txt": '{{ gettext("Hello %(name)s", name=first_name) }}\n',
    "hello/body.txt": "{{ first_name }} of {{ frame.sender.name }}\n",
    "hello/body.html": "<html><body><p>{{ first_name }}</p></body></html>",
    "plain/subject.txt": "Plain",
    "plain/body.txt": "Only text.",
    "pretty/subject.txt": "Pretty",
    "pretty/body.html": "<p>Only <a href='https://x.example/'>HTML</a>.</p>",
    "open/subject.txt": "Open",
    "open/body.html": "<style>p{color:{{ colour }}}</style><b hidden><p>x<div hidden><title>",
    "broken/subject.txt": "one\ntwo {% if %}",
    "loop/subject.txt": "Loop",
    "loop/body.txt": "{% for i in range(90000) %}{{ word }}{% endfor %}",
    "slow/subject.txt": "Slow",
    "slow/body.txt": "{% for i in range(90000) %}.{% endfor %}",
    "list/subject.txt": "List",
    "list/body.txt": "{% for i in range(90) %}.{% endfor %}",
    "deep/subject.txt": "{{ ''.__class__.__mro__ }}",
    "adding/subject.txt": "Adding",
    "adding/body.txt": "one\n{{ number + 1 }}",
    "lost/subject.txt": "{% include 'nowhere.txt' %}",
}


class German(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return {"Hello %(name)s": "Hallo %(name)s"}.get(message, message)


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    catalogues = {"de": German(), "en": gettext.NullTranslations()}
    return Templates(tmp_path, catalogues.__getitem__)


def test_a_mail_is_rendered_in_the_language_asked_for(templates: Templates) -> None:
    data = {"first_name": "Ada"}

    english = templates.render("hello", "en", data, FRAME, footer=False)
    german = templates.render("hello", "de", data, FRAME, footer=False)

    assert (english.subject, german.subject) == ("Hello Ada", "Hallo Ada")
    assert english.text == "Ada of Acme & Sons"


def test_data_is_never_markup(templates: Templates) -> None:
    data = {"first_name": "<script>{{ frame }}</script>"}

    content = templates.render("hello", "en", data, FRAME, footer=False)

    assert content.html is not None
    assert "<p>&lt;script&gt;{{ frame }}&lt;/script&gt;</p>" in content.html
    assert content.text.startswith("<script>{{ frame }}</script>")


def test_data_cannot_stand_in_for_the_frame(templates: Templates) -> None:
    data = {"first_name": "Ada", "frame": {"sender": {"name": "Eve"}}}

    assert "Acme" in templates.render("hello", "en", data, FRAME, footer=False).text


def test_marketing_ends_with_the_footer(templates: Templates) -> None:
    content = templates.render("hello", "en", {"first_name": "Ada"}, FRAME, footer=True)

    assert content.text.endswith("\n\n-- \nLeave: https://x.example/u/1?a=1&b=2")
    assert content.html is not None
    assert content.html.endswith(
        "<p>Ada</p></div></div></div>\n"
        '<p><a href="https://x.example/u/1?a=1&amp;b=2">Leave</a></p></body>\n</html>\n'
    )
    assert "<style>\np {}\n</style>\n</head>" in content.html


def test_ready_made_content_is_no_template_and_gets_the_footer(templates: Templates) -> None:
    said = Content("{{ 1 }}", "{{ 3 }}", markup.read("<p>{{ 2 }}</p>").page)

    content = templates.inline(said, locale="en", frame=FRAME)

    assert content.subject == "{{ 1 }}"
    assert content.text.startswith("{{ 3 }}\n\n-- \nLeave: ")
    assert content.html is not None
    assert "<p>{{ 2 }}</p></td></tr></table></td></tr></table></div></div></div>\n" in content.html
    assert "<style>\np {}\nb {}\n</style>" in content.html
    assert content.html.startswith('<!doctype html>\n<html lang="en">\n')


def test_a_template_cannot_swallow_the_footer(templates: Templates) -> None:
    """Nor is it given up when its mail is due: whoever chose it is told when it is handed in."""
    content = templates.render("open", "en", {"colour": "}*{"}, FRAME, footer=True)

    assert content.html is not None
    assert content.html.endswith("Leave</a></p></body>\n</html>\n")
    assert content.text.startswith("\n\n-- \n")
    with pytest.raises(TemplateError, match=r"open, body.html: <title> does not end"):
        templates.check("open", "en", {"colour": "red"}, FRAME, footer=True)


def test_a_template_of_our_own_stays_as_it_is(templates: Templates) -> None:
    content = templates.render("hello", "en", {"first_name": "Ada"}, FRAME, footer=False)

    assert content.html == FILES["hello/body.html"].replace("{{ first_name }}", "Ada")


def test_mails_of_one_template_differ_in_their_words_only(templates: Templates) -> None:
    said = [
        templates.render("hello", "en", {"first_name": name}, FRAME, footer=True).html
        for name in ("Ada", "Grace", "<Eve>", "Ada")
    ]

    assert said[0] == said[3]
    assert [
        html and html.replace(name, "Ada")
        for html, name in zip(said, ("Ada", "Grace", "&lt;Eve&gt;", "Ada"), strict=True)
    ] == [said[0]] * 4


def test_a_mail_without_html_is_text_and_without_text_gets_one(templates: Templates) -> None:
    plain = templates.render("plain", "en", {}, FRAME, footer=False)
    pretty = templates.render("pretty", "en", {}, FRAME, footer=False)

    assert (plain.text, plain.html) == ("Only text.", None)
    assert pretty.text == "Only HTML (https://x.example/).\n"


def test_a_missing_variable_is_named(templates: Templates) -> None:
    with pytest.raises(TemplateError) as caught:
        templates.render("hello", "en", {}, FRAME, footer=False)

    error = caught.value
    assert (error.name, error.place, error.missing) == ("hello", "subject.txt:1", "first_name")


def test_checking_finds_what_is_missing_before_there_are_links(templates: Templates) -> None:
    frame = {"locale": "en", "sender": {"name": "Acme"}}

    templates.check("hello", "en", {"first_name": "Ada"}, frame, footer=True)
    with pytest.raises(TemplateError):
        templates.check("hello", "en", {}, frame, footer=True)


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("nowhere", {}, "-"),
        ("../hello", {}, "-"),
        ("_private", {}, "-"),
        ("broken", {}, "subject.txt:2"),
        ("lost", {}, "nowhere.txt"),
        ("adding", {"number": "secret"}, "body.txt:2"),
        ("deep", {}, "subject.txt"),
        ("loop", {"word": "secret"}, "body.txt"),
    ],
)
def test_what_cannot_be_rendered_says_where_and_quotes_nothing(
    templates: Templates, name: str, data: Values, place: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        templates.render(name, "en", data, FRAME, footer=False)

    assert caught.value.place.startswith(place)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_rendering_that_was_slow_once_is_tried_again(
    templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail must not be given up for what its first rendering compiles, or for a collection."""
    of_subject, of_slow_try = [0.0], [0.0, 1.0]
    cpu = iter([*of_subject, *of_slow_try, *[2.0] * 20])
    hours = itertools.count()
    clocks = SimpleNamespace(thread_time=lambda: next(cpu), perf_counter=lambda: next(hours))
    monkeypatch.setattr(module, "time", clocks)

    content = templates.render("list", "en", {}, FRAME, footer=False)

    assert content.text == "." * 90
    assert next(cpu) == 2.0, "the second look at the clock was not asked for"


def test_a_rendering_that_lasts_is_stopped(
    templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_TIME", 0.001)

    with pytest.raises(TemplateError, match="takes too long"):
        templates.render("slow", "en", {}, FRAME, footer=False)
