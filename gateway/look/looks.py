"""A sender's colours, made readable on the grounds that pages and mails have."""

from __future__ import annotations

from functools import cache
from typing import Final

from gateway.look import colours

DEFAULT_ACCENT: Final = "#0d5c4b"
LIGHT_GROUND: Final = "#f4f6f4"
DARK_GROUND: Final = "#1a211e"  # the lighter of the two dark surfaces, so both are readable
_DARK_RATIO: Final = 6.5


def light(accent: str | None) -> colours.Accent:
    """The accent for a light ground."""
    return colours.accent(accent or DEFAULT_ACCENT, LIGHT_GROUND)


def dark(accent: str | None) -> colours.Accent:
    """The accent for a dark ground."""
    return colours.accent(accent or DEFAULT_ACCENT, DARK_GROUND, ratio=_DARK_RATIO)


@cache
def mail_look(accent: str | None, band: str | None) -> dict[str, str | None]:
    """The colours of a mail, by the names that its templates use."""
    bright, dim = light(accent), dark(accent)
    head = colours.ground(band) if band else None
    return {
        "accent": bright.colour,
        "on_accent": bright.on_colour,
        "dark_accent": dim.colour,
        "on_dark_accent": dim.on_colour,
        "band": head.colour if head else None,
        "on_band": head.on_colour if head else None,
    }
