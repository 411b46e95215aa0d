"""Marketing mails, printed: what many of them share is rendered and encoded once.

A template says the same words in every mail for which its data chooses alike, and what it says
of one mail stands between them. Of the words, with marks in these places, a plan is made,
with the footer and all that is the sender's; from then on a mail is its places filled in.
What fits no plan is rendered as a whole, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import jinja2
from markupsafe import escape

from delivery import fitting, markup
from delivery.fitting import Places
from delivery.folding import Value
from delivery.mime import Content, Printed
from delivery.plan import Mark, Plan
from delivery.prepared import Prepared, Sheet
from delivery.templates import Pieces, Said, Templates, Values, with_text_footer
from delivery.transfer import Encoded


class Press:
    """Prints mails with a footer; *secret* must stand in no text."""

    def __init__(self, templates: Templates, secret: str) -> None:
        self.templates = templates
        self._mark = Mark(secret)
        self._prepared = Prepared()

    def template(
        self, name: str, locale: str, data: Values, frame: Values, *, version: str | None = None
    ) -> Printed | Content:
        """As `Templates.render`, with a footer."""
        parts = self.templates.parts(name, version, locale, data, frame)
        printed = self._of_template(parts, self._around(locale, frame))
        return printed or self.templates.finished(parts, locale, frame, footer=True).content

    def inline(
        self, said: Content, *, locale: str, frame: Values, is_shared: bool = False
    ) -> Printed | Content:
        """As `Templates.inline`; what *is_shared* comes in many mails."""
        around = self._around(locale, frame)
        piece = str if is_shared else Value
        text = self._print(_text, [piece(said.text.rstrip())], around)
        html = None
        if said.html is not None:
            pieces = map(piece, markup.cut(said.html, frame["locale"]))
            html = self._print(_page, [*pieces, around.style(said.html)], around)
        if text is None or (html is None and said.html is not None):
            return self.templates.inline(said, locale=locale, frame=frame)
        return Printed(said.subject.strip(), text, html)

    def _of_template(self, parts: Said, around: _Around) -> Printed | None:
        if parts.text is None:
            return None  # it is read off the page, once there is one
        text = self._print(_text, parts.text, around)
        html = None if parts.html is None else self._print(_page_of_template, parts.html, around)
        if text is None or (html is None and parts.html is not None):
            return None
        return Printed(parts.subject, text, html)

    def _around(self, locale: str, frame: Values) -> _Around:
        environment = self.templates.environment_for(locale, frame)
        return _Around(self.templates, self._mark, environment, frame)

    def _print(self, layout: _Layout, pieces: Pieces, around: _Around) -> Encoded | None:
        """The part, where its pieces have a sheet."""
        words = tuple([None if type(one) is Value else one for one in pieces])
        key = (layout, around.key, words)
        sheet = self._prepared.get(key, partial(_sheet, layout, words, around))
        if sheet is None:
            return None
        values = [one for one in pieces if type(one) is Value]
        links = around.links if layout is _text else map(escape, around.links)
        return sheet.fill([*values, *links])


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around the words of a mail: the footer and the style of what is ours."""

    templates: Templates
    mark: Mark
    environment: jinja2.Environment
    frame: Values

    @property
    def key(self) -> Hashable:
        """Tells it from all others, but for where the links of one mail lead."""
        agreed = tuple(tuple(one.items()) for one in self.frame.get("consents", ()))
        return (self.environment, agreed, tuple(self.frame.get("links", ())))

    @property
    def links(self) -> Sequence[str]:
        return [*self.frame.get("links", {}).values()]

    def footer(self, form: str, first: int) -> str:
        """The footer with marks where its links go, numbered from *first*."""
        links = {
            name: self.mark.at(first + n) for n, name in enumerate(self.frame.get("links", ()))
        }
        return self.templates.footer(self.environment, form, {**self.frame, "links": links})

    def style(self, page: str) -> str:
        return self.templates.style(self.environment, page)


# Pieces, with marks where values go, and their number: the whole part, and what may go there.
_Layout = Callable[[Sequence[str], int, _Around], tuple[str, Places] | None]


def _sheet(layout: _Layout, words: Sequence[str | None], around: _Around) -> Sheet | None:
    numbers = count()
    marked = [around.mark.at(next(numbers)) if one is None else one for one in words]
    laid_out = layout(marked, next(numbers), around)
    if laid_out is None:
        return None
    text, of_values = laid_out
    try:
        plan = Plan(text, around.mark)
    except ValueError:
        return None
    return Sheet(plan, [*of_values, *[fitting.ANY] * len(around.links)])


def _text(pieces: Sequence[str], size: int, around: _Around) -> tuple[str, Places]:
    text = "".join(pieces)
    found = fitting.of_text(text, size, around.mark)
    return with_text_footer(text, around.footer("txt", size)), found


def _page_of_template(
    pieces: Sequence[str], size: int, around: _Around
) -> tuple[str, Places] | None:
    page = markup.read("".join(pieces)).page
    found = fitting.of_page(page, size, around.mark)
    if found is None:
        return None
    cut = markup.cut(page, around.frame["locale"])
    return markup.with_footer(cut, around.style(page), around.footer("html", size)), found


def _page(pieces: Sequence[str], size: int, around: _Around) -> tuple[str, Places]:
    """Of what `markup.cut` made, and the style."""
    *cut, style = pieces
    return markup.with_footer(cut, style, around.footer("html", size)), [fitting.ANY] * size
