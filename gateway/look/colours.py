"""A sender's accent colour, made readable: the brand chooses the hue, WCAG the rest."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from typing import Final

Colour = tuple[float, float, float]

_WHITE: Final = (255.0, 255.0, 255.0)
_BLACK: Final = (0.0, 0.0, 0.0)
_HEX: Final = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})\Z")
_STEPS: Final = 50


@dataclass(frozen=True, slots=True)
class Accent:
    """The colour of links and buttons, and of the words on such a button."""

    colour: str
    on_colour: str


def accent(wanted: str, background: str, ratio: float = 4.7) -> Accent:
    """Shade *wanted* until it stands *ratio* : 1 against *background* (WCAG 2.2, 1.4.3).

    On a light ground it is darkened, on a dark one lightened, the hue
    is kept, and never more than needed: a brand that is readable already keeps
    its exact colour.
    """
    ground = parse(background)
    end = 0.0 if luminance(ground) > 0.5 else 1.0
    shades = (_shaded(parse(wanted), end, step / _STEPS) for step in range(_STEPS + 1))
    colour = next(shade for shade in shades if contrast(shade, ground) >= ratio)
    words = max((_WHITE, _BLACK), key=lambda word: contrast(word, colour))
    return Accent(_written(colour), _written(words))


def ground(wanted: str) -> Accent:
    """*wanted* as it is, with black or white words on it, whichever reads better.

    One of the two always reaches 4.5 : 1.
    """
    colour = parse(wanted)
    words = max((_WHITE, _BLACK), key=lambda word: contrast(word, colour))
    return Accent(_written(colour), _written(words))


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Colour) -> float:
    """The relative luminance of WCAG 2.2, from 0 to 1."""
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def parse(text: str) -> Colour:
    """Read `#rrggbb`; anything else is a ValueError, for it would end up in a style sheet."""
    found = _HEX.match(text)
    if found is None:
        raise ValueError("a colour is written #rrggbb")
    red, green, blue = (float(int(part, 16)) for part in found.groups())
    return red, green, blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _shaded(colour: Colour, end: float, share: float) -> Colour:
    """*colour* with its lightness moved by *share* of the way to *end* (0 black, 1 white)."""
    if not share:
        return colour
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    calmer = saturation * (1 - share * end * 0.75)  # a dark green made light would glare
    shaded = colorsys.hls_to_rgb(hue, lightness + (end - lightness) * share, calmer)
    red, green, blue = (round(part * 255) for part in shaded)
    return red, green, blue


def _written(colour: Colour) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in colour)
