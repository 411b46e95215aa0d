"""The page about an exercise: written once and kept, it needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.look import resources
from gateway.look.translations import say, translations

# What each step shows, by its name (`gateway.process.drill.Shown`).
SAID: Final[Mapping[str, str]] = {
    "whole": say("The files are those that the backup was written with, by their hashes."),
    "fitting": say(
        "The audit log continues to its checkpoint, every row fits it, and everybody who is known"
        " has their keys."
    ),
    "erased": say(
        "An invented person signed up in the copy, and was erased there; their keys were destroyed."
    ),
    "back": say("The data from before the erasure was put back, and names them again."),
    "unreadable": say("What was kept about them could not be read with any key that was left."),
    "noticed": say(
        "By its guard the gateway noticed that the data was put back; it serves and sends nothing"
        " then."
    ),
    "named": say("The verification named the person as somebody whose row was put back."),
}


def render(facts: Mapping[str, Any], shown: Sequence[tuple[str, bool]], locale: str) -> str:
    """For an auditor."""
    environment = Environment(
        loader=FileSystemLoader(resources.templates() / "papers"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    words = translations(locale)
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # by the extension
    environment.filters["moment"] = _moment
    page = environment.get_template("drill.html")
    said = {name: words.gettext(sentence) for name, sentence in SAID.items()}
    return page.render(**facts, said=said, shown=dict(shown), locale=locale)


def _moment(one: datetime) -> str:
    return f"{one:%Y-%m-%d %H:%M:%S} UTC"
