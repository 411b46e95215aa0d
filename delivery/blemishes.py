"""What a mail's recipients would suffer from, although it may be sent. Pure, and in one place.

A caller is told, and decides: nothing here keeps a mail back, but for images that nobody
sees, which are taken out whatever is said of them (`delivery/hidden.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from delivery import markup
from delivery.mime import Content

LARGEST: Final = 102 * 1024  # bytes of HTML; what is behind them some mail programs cut off
_MOST_NAMED: Final = 10
# Each looks no further than its bound, so that a text takes as long as it is.
_LEFT_OVER: Final = re.compile(
    r"\{\{[^{}\n]{0,100}\}\}|\{%[^{}\n]{0,100}%\}|%%[^%\s][^%\n]{0,60}%%|\*\|[^|*\n]{1,60}\|\*"
)
_ANSWER: Final = re.compile(
    r"\s{0,20}\[?(?:re|aw|antw|fwd?|fw|wg|sv|vs|rv|tr|rif|r)(?:\[\d{1,3}\]|\^\d)?\]?\s{0,5}[:\uff1a]",
    re.IGNORECASE,
)


class What(StrEnum):
    """Each kind; the API has them as codes."""

    IMAGES_TAKEN_OUT = "images_taken_out"
    IMAGES_WITHOUT_ALT = "images_without_alt"
    TOO_LONG = "too_long"
    LEFT_OVER = "left_over"
    NO_LANGUAGE = "no_language"
    PRETENDS_TO_ANSWER = "pretends_to_answer"


@dataclass(frozen=True, slots=True)
class Blemish:
    """One thing; *part* is subject, text or html."""

    what: What
    part: str
    detail: str


def of_mail(said: Content, mail: Content, read: markup.Read | None) -> list[Blemish]:
    """What is to be told of *said*, which goes out as *mail*; *read* is its HTML as it was read."""
    return [*_of_subject(said.subject), *_left_over(said, read), *_of_html(mail, read)]


def _of_subject(subject: str) -> Iterator[Blemish]:
    if _ANSWER.match(subject):
        detail = "begins like an answer to a mail that the recipient never wrote"
        yield Blemish(What.PRETENDS_TO_ANSWER, "subject", detail)


def _left_over(said: Content, read: markup.Read | None) -> Iterator[Blemish]:
    parts = {"subject": said.subject, "text": said.text, "html": read.page if read else None}
    for part, held in parts.items():
        found = len(_LEFT_OVER.findall(held)) if held else 0
        if found:
            places = "one place" if found == 1 else f"{found} places"
            detail = f"holds {places} that nothing was put into, such as {{{{…}}}} or %%…%%"
            yield Blemish(What.LEFT_OVER, part, detail)


def _of_html(mail: Content, read: markup.Read | None) -> Iterator[Blemish]:
    if read is None or mail.html is None:
        return
    remarks = read.remarks
    if remarks.taken_out:
        detail = (
            f"{_images(remarks.taken_out)}, which nobody would see, taken out:"
            " no purpose allows measuring who opens a mail"
        )
        yield Blemish(What.IMAGES_TAKEN_OUT, "html", detail)
    if remarks.without_alt:
        detail = f"{_images(remarks.without_alt)} without alt: who sees none reads nothing there"
        yield Blemish(What.IMAGES_WITHOUT_ALT, "html", detail)
    if remarks.has_frame and not remarks.has_language:
        detail = "does not say its language: give <html> a lang, or programs read it out wrongly"
        yield Blemish(What.NO_LANGUAGE, "html", detail)
    size = len(mail.html.encode())
    if size > LARGEST:
        detail = (
            f"is {size // 1024} KB with its footer: behind 102 KB some mail programs cut it off,"
            " and with it how to leave"
        )
        yield Blemish(What.TOO_LONG, "html", detail)


def _images(which: Sequence[int]) -> str:
    """Which images, counted from 1, some of them by number."""
    named = ", ".join(map(str, which[:_MOST_NAMED]))
    more = f" and {len(which) - _MOST_NAMED} more" if len(which) > _MOST_NAMED else ""
    return f"image {named}{more}" if len(which) == 1 else f"images {named}{more}"
