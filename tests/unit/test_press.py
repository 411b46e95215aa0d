"""Mails that were printed: to the byte what rendering the whole of each gives."""

from __future__ import annotations

import email
import email.policy
import gc
import gettext
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery import dkim, markup, mime, template_source
from delivery.mime import Content, Printed
from delivery.press import Press
from delivery.template_source import Source
from delivery.templates import Templates, Values
from gateway.look import resources
from gateway.look.looks import mail_look
from gateway.look.translations import translations
from tests.support.mails import AT, MARKETING, records, signer

FOOTERS = {
    "_footer.txt": "-- \n{{ frame.consents[0].title }}\nLeave: {{ frame.links.unsubscribe }}\nend",
    "_footer.html": "{{ frame.consents[0].title }}\n<a href='{{ frame.links.unsubscribe }}'>x</a>",
    "_footer.css": "p {}\n{% if dark %}b {}{% endif %}",
    "_frame.css": "i {}\n",
}
PIECES = (
    *("Hello ", "{{ a }}", "{{ b }}", " ", "\n", "From ", ".", "ü" * 20, "x" * 70, "  \n"),
    *("<p>", "<b>{{ a }}</b>", "<b", "{{ a }}>", "<!-- {{ a }} -->", "<title>{{ a }}</title>"),
    *('<a href="{{ u }}">{{ a }}</a>', "<a href={{ u }}>", "<a href='{{ u }}/{{ b }}'>b</a>"),
    *('<a href="https://x.example/{{ a }}?q={{ b }}">', '<a href="https://x.example/l{{ b }}">'),
    *(
        '<a title="{{ a }}" href="{{ u }}">',
        '<a href="{{ u }}" class="{{ b }}">',
        '<a {{ a }}="1">',
    ),
    *(
        '<img alt="{{ a }}" src="{{ u }}">',
        "<div hidden>{{ a }}</div>",
        "<style>p{ {{ b }} }</style>",
    ),
    *(
        "<table><tr>{{ a }}",
        "<td>{{ b }}</td></table>",
        "<html><body>",
        '<p style="color:{{ b }}">',
    ),
    *("{% if a %}yes{% else %}no{% endif %}", "{% for one in l %}<i>{{ one }}</i>\n{% endfor %}"),
    *(
        "{{ frame.links.unsubscribe }}",
        "&amp;",
        "<textarea>{{ a }}",
        "<svg>{{ a }}</svg>",
        "<{{ b }}>",
    ),
)
HOSTILE = (
    *("", " ", "Ada", "Jörg <b>", ".", "From me", "a  b\t", "\r", "\n\n", "\r\nFrom x", "\u2028"),
    *("\x00", "=3D", "😀" * 40, "x" * 300, "{{ a }}", "%s", "</title>", '" onload="', "-->"),
    *("&lt;", "text", "=", '"\'"', "https://x.example/1", "https://x.example/?a=1&b=2#c"),
    *("javascript:x", "https://x.example/color"),
)
OURS: Values = {
    "locale": "de",
    "sender": {
        "name": "Acme & Söhne",
        "postal_address": "Musterstr. 1, 10115 Berlin",
        "imprint_url": "https://www.acme.example/imprint",
        "privacy_url": "https://www.acme.example/privacy",
    },
    "controller": {"name": "Acme GmbH"},
    "look": mail_look(None, None),
    "links": {way: f"https://x.example/{way}" for way in ("unsubscribe", "why", "preferences")},
    "consents": [{"title": "Rundbrief"}],
}
words = st.sampled_from(HOSTILE) | st.text(max_size=20)
sources = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
values = st.fixed_dictionaries(
    {"a": words, "b": words, "u": words, "l": st.lists(words, max_size=3)}
)


def frame(**more: Any) -> dict[str, Any]:
    links = {"unsubscribe": "https://x.example/u/1?a=1&b=2"}
    return {"locale": "en", "links": links, "consents": [{"title": "Letters & more"}], **more}


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Press:
    folder = tmp_path_factory.mktemp("mail")
    for name, text in FOOTERS.items():
        (folder / name).write_text(text)
    return Press(Templates(folder, lambda _: gettext.NullTranslations()), "secret")


def of_template(
    press: Press, version: str, data: Mapping[str, Any], around: Any
) -> Printed | Content:
    return press.template("own", "en", data, around, version=version)


def as_printed(made: Printed | Content) -> Printed:
    return made if isinstance(made, Printed) else mime.printed(made)


@pytest.mark.parametrize("piece", PIECES, ids=[f"piece {n}" for n in range(len(PIECES))])
def test_whatever_stands_in_a_place_is_there_as_if_it_were_rendered(
    press: Press, piece: str
) -> None:
    source = Source("own", "Hello", f"{piece}\n{{{{ b }}}}", f"<p>{piece}</p>")
    version = press.templates.take(template_source.write(source))
    tame = {"a": "Ada", "b": "b", "u": "https://x.example/2", "l": ["x"]}

    for value in ("Grace", "Alan", *HOSTILE):
        for name in re.findall(r"{ (\w) }", piece):
            data = {**tame, name: value}
            made = of_template(press, version, data, frame())
            whole = press.templates.render("own", "en", data, frame(), footer=True, version=version)
            assert as_printed(made) == mime.printed(whole), (name, value)


@settings(max_examples=50)
@given(text=sources, html=st.none() | sources, several=st.lists(values, min_size=3, max_size=3))
@example(text="{{ a }}{{ b }}", html='<a href="{{ u }}">{{ a }}</a>', several=[])
def test_a_printed_mail_is_the_rendered_one(
    press: Press, text: str, html: str | None, several: list[dict[str, Any]]
) -> None:
    version = press.templates.take(template_source.write(Source("own", "{{ a }}", text, html)))
    around = frame()

    for data in several:
        made = of_template(press, version, data, around)
        whole = press.templates.render("own", "en", data, around, footer=True, version=version)
        assert as_printed(made) == mime.printed(whole)


@settings(max_examples=50)
@given(text=words, html=st.none() | sources, shared=st.booleans(), link=words)
def test_printed_content_is_the_rendered_one(
    press: Press, text: str, html: str | None, shared: bool, link: str
) -> None:
    page = None if html is None else markup.read(html).page
    around, said = frame(links={"unsubscribe": link}), Content("s", text, page)

    for _ in range(3):
        made = press.inline(said, locale="en", frame=around, is_shared=shared)
        assert as_printed(made) == mime.printed(
            press.templates.inline(said, locale="en", frame=around)
        )


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hello {{ a }},</p>\n<p>{{ b }}</p>",
        '<html lang="en"><body><a class="x" href="{{ u }}">{{ a }}</a></body></html>',
        '<p><a href="https://x.example/{{ a }}?q={{ b }}">{{ u }}</a></p>',
        "<p>{% if a %}{{ a }}{% else %}x{% endif %}{% for one in l %}<b>{{ one }}</b>{% endfor %}",
    ],
    ids=["texts", "an address", "parts of one", "choices and loops"],
)
def test_what_templates_usually_say_is_printed(press: Press, html: str) -> None:
    source = Source("own", "Hello", f"Hello {{{{ a }}}}\n{html}", html)
    version = press.templates.take(template_source.write(source))
    several = [
        {"a": "Ada", "b": "b-1", "u": "https://x.example/1?c=2&d=3", "l": ["x", "y"]},
        {"a": "Jörg", "b": "B.", "u": "https://x.example/", "l": ["&", "ü"]},
    ]

    first, second, third = (
        of_template(press, version, one, frame()) for one in (*several, several[0])
    )

    assert isinstance(first, Content)  # it might have been the only one
    assert isinstance(second, Printed)
    assert isinstance(third, Printed)


@pytest.mark.parametrize("what", ["frame", "consents", "footer", "locale"])
def test_nothing_around_the_words_is_taken_from_another_mail(tmp_path: Path, what: str) -> None:
    for name, text in FOOTERS.items():
        (tmp_path / name).write_text(text + "{{ frame.sender }}")
    press = Press(Templates(tmp_path, lambda _: gettext.NullTranslations()), "secret")
    said = Content("s", "text", markup.read("<p>x</p>").page)
    others = {
        "frame": frame(sender="Another"),
        "consents": frame(sender="Acme", consents=[{"title": "Another"}]),
        "footer": frame(sender="Acme", links={"other": "1", "unsubscribe": "2"}),
        "locale": frame(sender="Acme", locale="de"),
    }
    for _ in range(3):
        press.inline(said, locale="en", frame=frame(sender="Acme"), is_shared=True)

    for _ in range(3):
        made = press.inline(said, locale="en", frame=others[what], is_shared=True)
        assert as_printed(made) == mime.printed(
            press.templates.inline(said, locale="en", frame=others[what])
        )


def test_nothing_of_one_mail_is_kept(press: Press) -> None:
    source = Source("own", "Hello", "Hello {{ a }}", "<p>{{ a }}, <b>{{ b }}</b>")
    version = press.templates.take(template_source.write(source))
    around = frame(links={"unsubscribe": "https://x.example/UNMISTAKABLE"})
    page = markup.read("<p>UNMISTAKABLE").page

    for _ in range(4):
        of_template(press, version, {"a": "UNMISTAKABLE", "b": "UNMISTAKABLE"}, around)
        press.inline(Content("s", "UNMISTAKABLE", page), locale="en", frame=around)

    assert [one for one in held_by(press) if "UNMISTAKABLE" in one] == []


def held_by(start: object) -> Iterator[str]:
    """Every text and all bytes that are reached from an object, but by code."""
    waiting, seen = [start], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes):
            yield one if isinstance(one, str) else one.decode("latin-1")
        waiting += gc.get_referents(one)


@pytest.mark.parametrize("value", HOSTILE)
def test_others_read_a_printed_mail_as_it_was_written_and_verify_it(value: str) -> None:
    press = Press(Templates(resources.templates() / "mail", translations), "secret")
    for name in ("Ada", "Grace", value):
        made = press.template("welcome", "de", {"first_name": name}, OURS)
    whole = press.templates.render("welcome", "de", {"first_name": value}, OURS, footer=True)

    mail = mime.compose(MARKETING, made)
    wire = mail.wire([signer().sign_hashed(mail.fields, mail.body_hash, AT)])

    assert dkim.verify(wire, records(signer()))
    read = email.message_from_bytes(wire, policy=email.policy.default)
    for kind, text in (("plain", whole.text), ("html", whole.html)):
        part = read.get_body((kind,))
        assert part is not None
        assert part.get_content().split() == text.split()
