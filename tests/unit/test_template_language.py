"""What templates of an operator may say, what they ask for, and what they cannot do."""

from __future__ import annotations

import jinja2
import pytest

from delivery import template_language
from delivery.template_language import OwnEnvironment, flaws, reads, unread
from delivery.template_source import NoSource, Source, read, version_of, write


def html(body: str) -> Source:
    return Source("mail", "Hello", None, body)


def told(body: str) -> list[str]:
    return [str(one) for one in flaws(html(body))]


@pytest.mark.parametrize(
    "body",
    [
        "<p>{{ first_name }} {{ order.total }}</p>",
        "{% set name = first_name|default('') or profile.first_name %}{{ name|upper }}",
        "{% for one in pieces %}{% if loop.index is odd %}x{% endif %}{{ one.title }}{% endfor %}",
        "{% if frame.locale == 'de' %}Hallo{% else %}Hello{% endif %}{# nobody sees this #}",
        "{{ count + 1 }} {{ words|join(', ') }} {{ long|truncate(40) }} {{ one ~ two }}",
        "{% raw %}{{ no }}{% endraw %}",
    ],
)
def test_words_choices_and_loops_are_sound(body: str) -> None:
    assert told(body) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("one\n{{ ''.__class__.__mro__ }}", "body.html:2 asks for an attribute"),
        ("{{ one['__class__']['__init__'] }}{{ f() }}", "body.html:1 nothing is called"),
        ("{{ cycler.__init__.__globals__.os }}", "body.html:1 asks for an attribute"),
        ("{{ frame.sender.name.upper() }}", "body.html:1 nothing is called"),
        ("{% include '_footer.html' %}", "body.html:1 takes something from elsewhere"),
        ("{% extends '_layout.html' %}", "body.html:1 takes something from elsewhere"),
        ("{% import '/etc/passwd' as x %}", "body.html:1 takes something from elsewhere"),
        ("{% from 'x' import y %}", "body.html:1 takes something from elsewhere"),
        ("{{ words|safe }}", "body.html:1 is no template: No filter named 'safe'."),
        ("{{ words|attr('x') }}", "body.html:1 is no template: No filter named 'attr'."),
        ("{{ 'x'|center(100000000) }}", "body.html:1 is no template: No filter named 'center'."),
        ("{{ 'x' * 1000000000 }}", "body.html:1 nothing is multiplied"),
        ("{{ 9 ** 9 ** 9 }}", "body.html:1 nothing is multiplied"),
        ("{{ '%999999999d' % 1 }}", "body.html:1 there is no %"),
        ("{{ words is odd }}", "body.html:1 asks whether something else than `loop.index` is odd"),
        ("{{ words is divisibleby(3) }}", "body.html:1 is no template: No test named"),
        ("{% set a = 'x' ~ 'x' %}{% set b = a ~ a %}", "body.html:1 puts together in a `set`"),
        ("{% set a = [w, w]|join %}", "body.html:1 puts together in a `set`"),
        ("{{ words|join(words) }}", "body.html:1 joins by something else"),
        ("{% macro m() %}{{ m() }}{% endmacro %}", "body.html:1 uses what templates do not have"),
        ("{% for a in b recursive %}{{ loop(a) }}{% endfor %}", "body.html:1 has a recursive loop"),
        ("{% for a in z %}" * 4 + "{% endfor %}" * 4, "body.html:1 has more than 3 loops"),
        ("{% set frame = 1 %}", "body.html:1 gives `frame` a meaning of its own"),
        ("{% set ns.x = 1 %}", "body.html:1 uses what templates do not have"),
        ("{{ gettext('Imprint') }}", "body.html:1 nothing is translated here"),
        ("<p>\n<p>{% if %}", "body.html:2 is no template"),
        ("<p>{{ first_name", "body.html:1 is no template"),
        ("{% if a %}" * 300 + "{% endif %}" * 300, "body.html is nested too deeply"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "body.html is nested too deeply"),
    ],
)
def test_what_it_must_not_say_is_told_by_file_and_line(body: str, said: str) -> None:
    assert told(body)[0].startswith(said)


def test_a_mail_has_a_body() -> None:
    assert [one.file for one in flaws(Source("mail", "Hello"))] == ["body.txt"]


def test_values_have_keys_and_nothing_else() -> None:
    """What got by the look at a template's words would find no attribute either."""
    environment = OwnEnvironment({}, autoescape=True)
    template = environment.from_string("{{ one.title }}|{{ one['items']|default('none') }}")

    assert template.render(one={"title": "<b>"}) == "&lt;b&gt;|none"
    for words in ("{{ one.__class__ }}", "{{ one.keys }}", "{{ 'x'.upper }}"):
        with pytest.raises(jinja2.UndefinedError):
            environment.from_string(words).render(one={})
    assert "range" not in environment.globals


def test_a_loop_that_prints_nothing_is_seen_going_on() -> None:
    """Who looks at the clock between two pieces would wait for the first one for ever."""
    template = OwnEnvironment({}).from_string(
        "{% for a in b %}{% if a == 2 %}{% endif %}{% endfor %}"
    )

    assert len(list(template.generate(b=[1] * 50))) >= 50


def test_what_is_asked_for_is_known_by_its_path() -> None:
    asked = reads(
        html("{{ a.b.c }}{{ a.d }}{% for x in xs %}{{ x.y }}{% endfor %}{{ frame.locale }}")
    )

    assert asked == {"a": {"b": {"c": None}, "d": None}, "xs": None}
    assert set(template_language.paths(asked)) == {"a.b.c", "a.d", "xs"}


def test_what_is_used_as_a_whole_may_have_any_part() -> None:
    asked = reads(html("{{ a.b }}{% for x in a %}{{ x }}{% endfor %}{% set c = d.e %}{{ c }}"))

    assert asked == {"a": None, "d": {"e": None}}


@pytest.mark.parametrize(
    ("data", "path", "nearest"),
    [
        ({"first_nme": "Ada"}, ("first_nme",), "first_name"),
        ({"first_name": "Ada", "zzz": 1}, ("zzz",), None),
        ({"order": {"totl": 1}}, ("order", "totl"), "total"),
    ],
)
def test_data_that_nothing_asks_for_is_found_with_what_was_meant(
    data: dict[str, object], path: tuple[str, ...], nearest: str | None
) -> None:
    asked = reads(html("{{ first_name }}{{ order.total }}"))

    found = unread(data, asked)

    assert found is not None
    assert (found.path, found.nearest) == (path, nearest)
    assert unread({"first_name": "Ada", "order": {"total": 1}}, asked) is None


def test_a_sample_has_what_is_asked_for() -> None:
    source = html("{{ a.b }}{% for x in a.list %}{{ x.y }}{% endfor %}{{ profile.first_name }}")

    assert template_language.sample(source) == {
        "a": {"b": "b", "list": [{"y": "y"}, {"y": "y"}]},
    }


def test_a_version_is_the_hash_of_its_bytes_and_read_back_from_them() -> None:
    source = Source("mail", "Grüße", None, "<p>{{ x }}</p>")
    raw = write(source)

    assert read(raw) == source
    assert version_of(raw).startswith("sha256:")
    assert version_of(write(Source("mail2", "Grüße", None, "<p>{{ x }}</p>"))) != version_of(raw)
    # Neither a name nor a part can be written so that another template has the same bytes.
    pairs = [Source("a", 'b","body.txt":"c'), Source("a", "b", "c"), Source("a", "b", None, "c")]
    assert len({version_of(write(one)) for one in pairs}) == 3


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b'{"name":"a","subject.txt":1}', b'{"name": "a","subject.txt":"b"}']
)
def test_other_bytes_are_no_version(raw: bytes) -> None:
    with pytest.raises(NoSource):
        read(raw)
