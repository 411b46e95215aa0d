"""The page about an exercise: written once and kept, it needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.look import resources
from gateway.look.translations import translations


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
    environment.install_gettext_translations(translations(locale), newstyle=True)  # type: ignore[attr-defined]  # by the extension
    environment.filters["moment"] = _moment
    page = environment.get_template("drill.html")
    return page.render(**facts, shown=dict(shown), locale=locale)


def _moment(one: datetime) -> str:
    return f"{one:%Y-%m-%d %H:%M:%S} UTC"
