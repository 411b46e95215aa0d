"""What fits into the places of a text or page, so that all around them stays what it is. Pure.

A page is read with marks where one mail's words go (`delivery/markup.py`, `delivery/plan.py`).
What stands there instead must be read as the marks were: a text as a text, an address as
one. With whatever else, and where there are other places, the page is read anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from delivery.plan import Mark

ANY: Final = re.compile(r".*", re.DOTALL)
_ENDED: Final = re.compile(r".*\S", re.DOTALL)
_TEXT: Final = re.compile(r"[^<]*")  # what templates print is escaped, but for markup of ours
_ADDRESS: Final = r"(?:[^\x00-\x20\x22'<>&]|&amp;)*"
# By such words a page is taken to have colours of its own (`delivery/markup.py`).
_OF_COLOURS: Final = "(?!.*(?:colou?r|background|text))"
_WHOLE: Final = re.compile(rf"{_OF_COLOURS}https?://{_ADDRESS}", re.IGNORECASE)
_REST: Final = re.compile(rf"{_OF_COLOURS}{_ADDRESS}", re.IGNORECASE)
# The tag up to the place: that it leads somewhere, and where, is not for the words to say.
_BEGUN: Final = re.compile(r'a(?: [a-z-]+="[^"]*")* href="(?:https?:[^"&]*[/?#=])?')
_OTHER_TEXT: Final = ("style", "title")  # a browser, and `markup.read`, take it otherwise

Places = Sequence[re.Pattern[str]]


def of_text(text: str, count: int, mark: Mark) -> Places:
    """Of a text; the blanks at its end go, and with them those of words that stand there."""
    places = [ANY] * count
    if count:
        *_, last, after = mark.found.split(text)
        places[int(last)] = ANY if after.strip() else _ENDED
    return places


def of_page(page: str, count: int, mark: Mark) -> Places | None:
    """Of a page; None where it has a place that only whoever reads it anew can fill."""
    pieces = mark.found.split(page)
    numbers = [*map(int, pieces[1::2])]
    if sorted(numbers) != [*range(count)]:
        return None  # markup that nobody sees is left out
    places = [_TEXT] * count
    since = ""  # the last `<`
    for piece, number, after in zip(pieces[::2], numbers, pieces[2::2], strict=False):
        since = (since + piece)[(since + piece).rfind("<") + 1 :]
        place = _place(since, after)
        if place is None:
            return None
        places[number] = place
        since += mark.at(number)
    return places


def _place(since: str, after: str) -> re.Pattern[str] | None:
    """What may stand between *since*, which begins behind the last `<`, and *after*."""
    name, is_text, _ = since.partition(">")
    if is_text:
        return None if name.startswith(_OTHER_TEXT) else _TEXT
    if not _BEGUN.fullmatch(since) or not after.startswith(('"', "/", "?", "#", "&")):
        return None
    return _WHOLE if since.endswith('href="') else _REST
