"""A mail as its recipients may see it: text, HTML, dark and on a phone, side by side. Pure.

One file that needs nothing beside itself and loads nothing: whoever opens it tells nobody.
"""

from __future__ import annotations

import re
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from delivery.mime import Content
from gateway.look import resources

_DARK: Final = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_LIGHT: Final = re.compile(r"\(\s*prefers-color-scheme\s*:\s*light\s*\)", re.IGNORECASE)
_SCHEMES: Final = re.compile(r"""(color-scheme(?:" content="|\s*:\s*))light dark""")
# What is so of every screen, and of none, whatever the one is that the file is looked at on.
_ALWAYS, _NEVER = "(min-width: 0)", "(max-width: 0)"


def render(name: str, mail: Content) -> str:
    """The page about *mail*, made of the template *name*."""
    views = []
    if mail.html is not None:
        light, dark = _as(mail.html, dark=False), _as(mail.html, dark=True)
        views = [
            ("Phone, light", "phone", light),
            ("Phone, dark", "phone dark", dark),
            ("Wide, light", "wide", light),
            ("Wide, dark", "wide dark", dark),
        ]
    environment = Environment(
        loader=FileSystemLoader(resources.templates() / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("preview.html")
    return page.render(name=name, subject=mail.subject, text=mail.text, views=views)


def _as(page: str, *, dark: bool) -> str:
    """A mail's page as on a screen of that kind."""
    page = _DARK.sub(_ALWAYS if dark else _NEVER, page)
    page = _LIGHT.sub(_NEVER if dark else _ALWAYS, page)
    return _SCHEMES.sub(rf"\1{'dark' if dark else 'light'}", page)
