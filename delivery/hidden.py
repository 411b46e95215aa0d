"""Images that nobody sees: to load one only tells that a mail was opened. Pure.

Markup says of an element that it is hidden, or a pixel in size, by attributes or
in its style. What is in a hidden element is hidden too. An image whose markup
says neither, and which is a pixel all the same, cannot be told from others, nor
one that a style sheet hides by a class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from delivery.tags import attributes, unescaped

_NAMES: Final = ("background", "height", "hidden", "src", "style", "width")
_SAYS: Final = re.compile(r"style|hidden|width|height", re.IGNORECASE)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.IGNORECASE | re.DOTALL)
_LENGTH: Final = re.compile(r"\s*([+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}))\s*([a-z%]{0,5})")
_LOADS: Final = re.compile(r"https?:", re.IGNORECASE)
_IGNORED: Final = re.compile(r"[\x00-\x20]+")  # in addresses, by browsers
_GONE: Final = {
    "display": re.compile(r"none\b"),
    "visibility": re.compile(r"(?:hidden|collapse)\b"),
    "opacity": re.compile(r"0*(?:\.0\d*)?%?(?:\s|!|\Z)"),
    "transform": re.compile(r"scale[xy3d]*\(\s*0*(?:\.0*)?\s*[,)]"),
    "clip": re.compile(r"rect"),
    "clip-path": re.compile(r"inset\(\s*(?:50|100)%"),
}
_PLACES: Final = ("left", "top", "right", "bottom", "margin", "margin-left", "margin-top")
_FAR: Final = 500  # pixels beside the page
_KEPT: Final = 1000  # characters


def says_hidden(name: str, written: str) -> bool:
    """Whether the attributes of an element, as they were *written*, hide what is in it."""
    if not _SAYS.search(written):
        return False
    # Where it leads may be one person's, and is not kept in memory.
    if "://" in written or len(written) > _KEPT:
        return _says_hidden(name, written)
    return _remembered(name, written)


def without_images(name: str, given: Mapping[str, str]) -> dict[str, str] | None:
    """What stays of the attributes of a hidden element; None: it is an image, and goes."""
    if name == "img":
        src = _IGNORED.sub("", unescaped(given.get("src", "")))
        return None if _LOADS.match(src) else dict(given)
    kept = {key: value for key, value in given.items() if key != "background"}
    if "style" in kept:
        # Every way to name an image in a style needs a bracket.
        harmless = (one for one in _declarations(kept["style"]) if "(" not in one[1])
        kept["style"] = ";".join(f"{key}:{value}" for key, value in harmless)
    return kept


def _says_hidden(name: str, written: str) -> bool:
    given = attributes(written, _NAMES)
    style = dict(_declarations(given.get("style", "")))
    if "hidden" in given or any(_is_gone(key, value) for key, value in style.items()):
        return True
    if any(_is_far(style.get(place, "")) for place in _PLACES):
        return True
    clipped = name == "img" or style.get("overflow", "").startswith(("hidden", "clip"))
    return clipped and any(_is_a_pixel(given, style, side) for side in ("width", "height"))


_remembered = lru_cache(maxsize=1024)(_says_hidden)


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    """Each property with its value, as a browser reads them; quotes would not outlive it."""
    plain = _ESCAPE.sub(_character, _COMMENT.sub("", unescaped(style))).lower()
    for one in plain.split(";"):
        key, mark, value = one.partition(":")
        if mark:
            yield key.strip(), value.strip().translate(_QUOTED)


_QUOTED: Final = str.maketrans({'"': "'", "<": " ", ">": " ", "&": " "})


def _character(escape: re.Match[str]) -> str:
    code = int(escape[1], 16) if escape[1] else ord(escape[2])
    return chr(code) if 0 < code < 0xD800 else " "


def _is_gone(key: str, value: str) -> bool:
    mark = _GONE.get(key)
    return mark is not None and bool(value) and mark.match(value) is not None


def _is_far(value: str) -> bool:
    found = _LENGTH.match(value)
    return found is not None and float(found[1]) <= -_FAR


def _is_a_pixel(given: Mapping[str, str], style: Mapping[str, str], side: str) -> bool:
    """Whether one side is at most a pixel; what a style says of it counts before the attribute."""
    if f"min-{side}" in style:
        return False
    said = (style.get(f"max-{side}", ""), style.get(side) or given.get(side, ""))
    return any(map(_is_tiny, said))


def _is_tiny(value: str) -> bool:
    found = _LENGTH.match(unescaped(value))
    if found is None:
        return False
    length, unit = abs(float(found[1])), found[2]
    return length <= 1 if unit in ("", "px", "pt") else length == 0
