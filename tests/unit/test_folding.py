"""Folding changes what rendering costs, and nothing of what is rendered."""

from __future__ import annotations

import gettext
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from delivery.folding import FoldingEnvironment, Value, leaves
from gateway.look import resources
from gateway.look.translations import languages, translations

MAILS = resources.templates() / "mail"
FRAME: dict[str, Any] = {
    "locale": "de",
    "sender": {
        "name": "Grün & <Söhne> 100 %",
        "postal_address": "Musterstr. 1",
        "imprint_url": "https://acme.example/?a=1&b=2",
        "privacy_url": "https://acme.example/p",
        "accent": None,
    },
    "look": {
        "accent": "#0d5c4b",
        "on_accent": "#fff",
        "dark_accent": "#7cc",
        "on_dark_accent": "#000",
        "band": None,
        "on_band": None,
    },
    "controller": {"name": "Acme GmbH", "postal_address": "Weg 1", "contact": "dpo@acme.example"},
}
LINKS = {
    name: f"https://x.example/{name}?q='\"&"
    for name in ("address", "confirm", "unsubscribe", "why", "my_data", "desk", "stop_again")
}
DATA: dict[str, Any] = {
    "frame": FRAME
    | {
        "links": LINKS | {"preferences": "https://x.example/p", "open": "https://x.example/o"},
        "consents": [{"title": "<News> & 5 %", "text": "Yes, {{ please }}"}],
    },
    "dark": "yes",
    **{"checkpoint": "log\n7\n<&>\n", "keys": "a+b", "log": "log", "size": "7", "day": "today"},
    **{"lifted": "pause", "by": "us", "at": "<now>", "until": "5 % later"},
    "first_name": "<b>Ada</b> %(name)s",
    "profile": {"first_name": "Eve", "none": ""},
}
WORDING = {
    "title": "<News> & 5 %",
    "text": "Yes, {{ please }}",
    "sender": "Acme & %(name)s",
    "imprint_url": "https://x.example/i?q='",
    "notice_url": "https://x.example/n",
    "before": "Yes, {{ thanks }} & 5 %",
    "before_sender": "<Acme> (Acme GmbH)",
    "again_url": "https://x.example/a?q='",
}
FILES = [
    "_footer.css",
    "_footer.html",
    "_footer.txt",
    *sorted(str(p.relative_to(MAILS)) for p in MAILS.glob("*/*.*")),
]


def options(loader: jinja2.BaseLoader) -> dict[str, Any]:
    return {
        "loader": loader,
        "autoescape": lambda file: file is not None and file.endswith(".html"),
        "undefined": jinja2.StrictUndefined,
        "extensions": ["jinja2.ext.i18n"],
        "trim_blocks": True,
        "lstrip_blocks": True,
    }


def both(loader: jinja2.BaseLoader, language: gettext.NullTranslations) -> tuple[Any, Any]:
    """Jinja's own sandbox, and ours that folds."""
    plain = ImmutableSandboxedEnvironment(**options(loader))
    folding = FoldingEnvironment(dict(leaves(FRAME)), language.gettext, **options(loader))
    for one in (plain, folding):
        one.policies["ext.i18n.trimmed"] = True
        i18n: Any = one
        i18n.install_gettext_translations(language, newstyle=True)
    return plain, folding


@pytest.mark.parametrize(("file", "locale"), list(product(FILES, languages())))
def test_every_mail_of_ours_renders_as_by_jinja_alone(file: str, locale: str) -> None:
    plain, folding = both(jinja2.FileSystemLoader(MAILS), translations(locale))

    data = DATA
    if file.startswith(("re_permission/", "withdrawal/")):  # queued by this release alone
        data = DATA | {"frame": DATA["frame"] | {"consents": [WORDING]}}
    assert folding.get_template(file).render(data) == plain.get_template(file).render(data)


MACROS = "{% macro mine(x) %}mine{% endmacro %}"
SNIPPETS = {
    "text": '{{ gettext("Hello") }}',
    "percent": '{{ gettext("100 %% sure") }}',
    "value": '{{ gettext("Hello %(name)s", name=first_name) }}',
    "frame-in-value": '{{ gettext("Hello %(name)s", name=frame.sender.name) }}',
    "block": "{% trans name=first_name %}  Hello\n {{ name }}{% endtrans %}",
    "variable-message": "{{ gettext(first_name|upper|replace('%', '')) }}",
    "short": '{{ _("Hello") }}',
    "nothing": "[{{ frame.look.band }}]{% if frame.look.band %}band{% else %}none{% endif %}",
    **{
        f"{first or 'no'}-{second or 'no'}-{rest}": (
            f"[{{% if {first or 'frame.look.band'} %}}a"
            f"{{% elif {second or 'frame.look.band'} %}}b{rest}c{{% endif %}}]"
        )
        for first, second, rest in product(
            ["frame.locale", "first_name", "", "profile.none"],
            ["frame.sender.name", "first_name", ""],
            ["{% else %}", "{% elif frame.locale %}", "{% elif first_name %}d{% else %}"],
        )
    },
    "nested": (
        "{% if frame.locale %}{% if frame.look.band %}a{% else %}"
        "b{{ first_name }}{% endif %}{% endif %}"
    ),
    "set-in-choice": "{% if frame.locale %}{% set x = first_name %}{% endif %}{{ x }}",
    "filter": "{{ frame.sender.name|upper }}{{ frame.sender.name|length }}",
    "link": "{{ frame.links.why }}",
    "whole": "{{ frame.sender.keys()|list|length }}",
    "own-frame": "{% for frame in [{'locale': 'xx'}] %}{{ frame.locale }}{% endfor %}",
    "own-set": "{% set frame = {'locale': 'xx'} %}{{ frame.locale }}",
    "own-gettext": "{% macro gettext(x) %}mine{% endmacro %}{{ gettext('Hello') }}",
    "own-import": "{% from 'macros.txt' import mine as _ %}{{ _('Hello') }}",
    "safe": "{{ frame.sender.name|safe }}",
    "concat": "{{ frame.sender.name ~ first_name }}",
    "volatile": "{% autoescape first_name == 'x' %}{{ gettext('<a>') }}{% endautoescape %}",
}


class German(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return {"Hello": "Hallo", "Hello %(name)s": "<i>Hallo</i> %(name)s"}.get(message, message)


@pytest.mark.parametrize("kind", ["html", "txt"])
@pytest.mark.parametrize("snippet", SNIPPETS.values(), ids=SNIPPETS.keys())
def test_what_operators_write_renders_as_by_jinja_alone(snippet: str, kind: str) -> None:
    plain, folding = both(jinja2.DictLoader({f"x.{kind}": snippet, "macros.txt": MACROS}), German())

    folded = folding.get_template(f"x.{kind}").render(DATA)

    assert folded == plain.get_template(f"x.{kind}").render(DATA)


def test_what_is_the_same_for_everybody_is_not_looked_up_again() -> None:
    _, folding = both(
        jinja2.DictLoader({"x.txt": '{{ gettext("Hello") }} {{ frame.locale }}'}), German()
    )

    assert folding.get_template("x.txt").render() == "Hallo de"


def test_a_missing_part_of_the_frame_is_still_an_error(tmp_path: Path) -> None:
    _, folding = both(jinja2.DictLoader({"x.txt": "{{ frame.sender.nickname }}"}), German())

    with pytest.raises(jinja2.UndefinedError):
        folding.get_template("x.txt").render(DATA)


@pytest.mark.parametrize(
    ("said", "shared"),
    [
        ("{% filter upper %}x {{ first_name }}{% endfilter %}!", "!"),
        (
            "{% macro m() %}<{{ caller() }}>{% endmacro %}"
            "{% call m() %}{{ first_name }}{% endcall %}!",
            "!",
        ),
        (
            "{% for one in [[first_name]] recursive %}"
            "{{ loop(one) if one is not string else one }}{% endfor %}!",
            "!",
        ),
        ("{% include 'other' %}!", "Dear !"),
    ],
    ids=["filter", "call", "recursive", "include"],
)
def test_what_one_mail_says_is_told_from_what_all_say(said: str, shared: str) -> None:
    loader = jinja2.DictLoader({"x.txt": said, "other": "Dear {{ first_name }}"})
    _, folding = both(loader, German())
    template = folding.get_template("x.txt")

    pieces = [*template.root_render_func(template.new_context(DATA))]

    assert "".join(one for one in pieces if type(one) is not Value) == shared
    assert DATA["first_name"].lower() in "".join(pieces).lower()
