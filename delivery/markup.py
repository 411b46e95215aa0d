"""A sender's HTML as a whole page with a place for our footer, whatever it was. Pure, and total.

The footer is a duty: nothing that a sender wrote may swallow or hide it. So no place
for it is searched in foreign markup. That is read tag by tag, as a browser does, and
written anew in a subset that every browser reads alike: known elements, each closed
where it must be, quoted attributes, no comments; all of it in a frame, below which the
footer stands. What is read otherwise than by a browser costs looks, never the footer.

What comes without a frame of its own (no html, body or style sheet, and not a table
first) is given one as it leaves: a width, a margin, and colours for dark screens where it
brings none that would not fit them.

No tree is built: those that follow the standard take time that grows with the square
of what is nested (`docs/adr/0019-foreign-markup.md`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Final

from delivery import hidden, tags
from delivery.nesting import KNOWN, VOID, Nesting
from delivery.style_sheets import BODY, FRAME, HTML, scoped
from delivery.tags import Tag, names

# Left out with all that is in them: no mail program shows them, or it reads them by other rules.
_LEFT_OUT: Final = names(
    "applet audio canvas datalist dialog math object select svg template video"
)
_FOREIGN: Final = ("math", "svg")  # where a tag may end itself
_NOTED: Final = ("content", "media", "name")
_ALT: Final = ("alt",)
_COLOURS: Final = re.compile(r"colou?r|background|text\s*=", re.IGNORECASE)
_SCHEMES: Final = re.compile(r"[a-z ]{1,40}")
_COLOUR: Final = re.compile(r"#?[A-Za-z0-9]{1,30}")
_HEAD_END: Final = "</head>\n"
_BODY: Final = '<body style="margin:0;padding:0">\n'
_FRAMELESS: Final = '<body class="mail-frameless" style="margin:0;padding:0">\n'
_PLAIN_ROOT: Final = '<div class="mail-body">'
_TABLE: Final = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
    ' style="table-layout:fixed{}"><tr><td {}>'  # what is wider does not make it so
)
_FONT: Final = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_CARD: Final = _TABLE.format(
    "", 'class="mail-ground" align="center" style="padding:24px 16px;background:#f4f6f4"'
) + _TABLE.format(
    ";max-width:560px",
    'class="mail-card" align="left" style="padding:32px 36px;background:#ffffff;border:1px solid'
    f' #dfe5e1;border-radius:14px;color:#18221e;font:16px/1.6 {_FONT};overflow-wrap:break-word"',
)
_CARD_END: Final = "</td></tr></table></td></tr></table>"
_FRAME_END: Final = "</div></div></div>\n"
_END: Final = "</body>\n</html>\n"
# As high as what is in it, and no higher than browsers count: nothing in it moves what is below.
_FRAME_STYLE: Final = "overflow-x:auto;overflow-y:hidden;max-height:1000000px"
LONGEST_PAGE: Final = 2 * 1024 * 1024  # characters
_LARGEST_KEPT: Final = 64 * 1024  # characters of tags; of longer mails nothing is kept
_MOST_REMEMBERED: Final = 1024
_MOST_KEPT: Final = 64  # mails' tags
_MOST_ALIKE: Final = 8  # of those with as many


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a sender is told of their markup: which of their images were *taken_out*, and the like.

    Images are counted from 1, in the order in which they were written.
    """

    taken_out: Sequence[int] = ()
    without_alt: Sequence[int] = ()
    has_frame: bool = False
    has_language: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A page for `with_footer`; *flaw* says what of the markup nobody would see, None: nothing."""

    page: str
    flaw: str | None
    remarks: Remarks = Remarks()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the tags of a mail become; the texts between them stay, but for the *unseen* ones."""

    before: str
    written: Sequence[str]
    unseen: Sequence[int]
    after: str
    flaw: str | None
    remarks: Remarks


@dataclass(frozen=True, slots=True)
class _Known:
    """How mails with the same tags are written, without looking for the tags again.

    Cut at each `<`, such a mail begins, piece by piece, with what its tags are; what
    is left of a piece is text, which holds none, and stays.
    """

    begins: Sequence[str]
    alone: Sequence[int]  # pieces of an element without markup that its end is not in: no text
    unseen: Sequence[int]
    written: Sequence[str]  # in place of what the pieces begin with
    after: str
    flaw: str | None
    remarks: Remarks

    def read(self, pieces: Sequence[str]) -> Read | None:
        """The page of a mail that was cut so; None where its tags are others."""
        if not all(map(str.startswith, pieces, self.begins)):
            return None
        texts = list(map(str.removeprefix, pieces, self.begins))
        if any(texts[n] for n in self.alone):
            return None
        for n in self.unseen:
            texts[n] = ""
        page = [self.after] * (2 * len(texts) + 1)
        page[:-1:2], page[1::2] = self.written, texts
        return _read(page, self.flaw, self.remarks)


def _known(tokens: Sequence[str], shape: _Shape) -> _Known | None:
    """None where what the tags are depends on what stands behind them."""
    if not all(map(tags.is_closed, tokens)):
        return None
    begins, alone, written = [""], list[int](), [shape.before]
    unseen = []
    for n, (token, tag) in enumerate(zip(tokens, shape.written, strict=True), 1):
        _, *pieces = token.split("<")
        alone += range(len(begins), len(begins) + len(pieces) - 1)
        begins += pieces
        written += tag, *[""] * (len(pieces) - 1)
        if n * 2 in shape.unseen:
            unseen.append(len(begins) - 1)
    return _Known(begins, alone, unseen, written, shape.after, shape.flaw, shape.remarks)


class Shapes:
    """What is kept where many mails come with the same tags: how those are written.

    Tags that came once are not kept, for a link in them may be one person's; nor
    is, ever, what stands between tags.
    """

    def __init__(self) -> None:
        self._came: set[int] = set()
        self._kept = lru_cache(maxsize=_MOST_KEPT)(_shape)
        # Of each number of `<` some: a mail in another language has as many, and another title.
        self._known: dict[int, tuple[_Known, ...]] = {}

    def read(self, markup: str) -> Read:
        """As `read`, without these."""
        pieces = markup.split("<")
        for known in self._known.get(len(pieces), ()):
            if (found := known.read(pieces)) is not None:
                return found
        return self._read_anew(markup, len(pieces))

    def _read_anew(self, markup: str, size: int) -> Read:
        pieces = tags.TOKENS.split(markup)
        tokens = tuple(pieces[1::2])
        came = hash(tokens)
        if came not in self._came or sum(map(len, tokens)) > _LARGEST_KEPT:
            if len(self._came) >= _MOST_REMEMBERED:
                self._came.clear()
            self._came.add(came)
            return _written(pieces, _shape(tokens))
        shape = self._kept(tokens)
        if not any("<" in text for text in pieces[::2]) and (known := _known(tokens, shape)):
            if sum(map(len, self._known.values())) >= _MOST_KEPT:
                self._known.clear()
            # Two threads may have met it at once.
            before = [one for one in self._known.get(size, ()) if one != known]
            self._known[size] = (known, *before[: _MOST_ALIKE - 1])
        return _written(pieces, shape)


def read(markup: str, shapes: Shapes | None = None) -> Read:
    """The whole page that *markup* stands for."""
    if shapes is not None:
        return shapes.read(markup)
    pieces = tags.TOKENS.split(markup)
    return _written(pieces, _shape(pieces[1::2]))


def _written(pieces: list[str], shape: _Shape) -> Read:
    """The page of a mail that was cut into texts and tags."""
    pieces[1::2] = shape.written
    for n in range(0, len(pieces), 2):
        if "<" in pieces[n]:
            pieces[n] = pieces[n].replace("<", "&lt;")
    for n in shape.unseen:
        pieces[n] = ""
    return _read((shape.before, *pieces, shape.after), shape.flaw, shape.remarks)


def _read(pieces: Iterable[str], flaw: str | None, remarks: Remarks) -> Read:
    page = "".join(pieces)
    too_long = "is too long, with each element closed and each sign written out"
    return Read(page, flaw or (too_long if len(page) > LONGEST_PAGE else None), remarks)


def cut(page: str, locale: str) -> tuple[str, ...]:
    """What of a page that `read` wrote is the sender's, in the order of `with_footer`.

    One without a frame of its own says the language of its recipient.
    """
    head, body = page.split(_HEAD_END, 1)
    framed = body.removesuffix(_END)
    if not has_our_frame(page):
        return head, framed
    head = head.replace("<html>", tags.write("html", {"lang": locale}), 1)
    return head, *framed.removesuffix(_FRAME_END).split(_PLAIN_ROOT, 1)


def with_footer(pieces: Sequence[str], style: str, footer: str) -> str:
    """The page of what `cut` made, with the footer below its frame; *style* is of what is ours.

    One without a frame of its own gets ours.
    """
    head, framed, *within = pieces
    if within:
        framed = f"{framed}{_PLAIN_ROOT}{_CARD}{within[0]}{_CARD_END}{_FRAME_END}"
    return f"{head}<style>\n{style}\n</style>\n{_HEAD_END}{framed}{footer}{_END}"


def has_our_frame(page: str) -> bool:
    """Whether the sender's part has none of its own; a release before knew no such pages."""
    at = page.find(_HEAD_END)
    return page.startswith(_FRAMELESS, at + len(_HEAD_END))


def is_dark(page: str) -> bool:
    """Whether the sender's part has colours for dark screens too."""
    return '<meta name="color-scheme"' in page.split(_HEAD_END, 1)[0]


def _shape(tokens: Sequence[str]) -> _Shape:
    writer = _Writer()
    written: list[str] = []
    unseen: list[int] = []
    for n, token in enumerate(tokens, 1):
        written.append(writer.write(token))
        if writer.leaves_out:
            unseen.append(n * 2)
    after = writer.nesting.close_all() + _FRAME_END + _END
    return _Shape(writer.before(), written, unseen, after, writer.flaw(), writer.remarks())


class _Writer:
    """Writes the tags of one mail anew, and gathers what belongs into its head."""

    def __init__(self) -> None:
        self.nesting = Nesting()
        self._title = ""
        self._scheme = ""
        self._sheets: list[str] = []
        self._roots: dict[str, dict[str, str]] = {}
        self._left_out = ""  # the element that is left out
        self._depth = 0  # of elements of that name
        self._unended = ""
        self._first = ""
        self._images = 0
        self._taken_out: list[int] = []
        self._without_alt: list[int] = []
        self._is_coloured = False

    @property
    def leaves_out(self) -> bool:
        return bool(self._left_out)

    def write(self, token: str) -> str:
        tag = tags.parse(token)
        if tag is None:
            if tags.is_unended_comment(token):
                self._unended = "a comment"
            return ""
        if not tag.ends:
            self._unended = f"<{tag.name[:20]}>"
        if self._left_out:
            if tag.name == self._left_out:
                self._depth += -1 if tag.is_end else 1
                self._left_out = self._left_out if self._depth else ""
            return ""
        return self._end(tag) if tag.is_end else self._start(tag)

    def _end(self, tag: Tag) -> str:
        if tag.name == "br":  # as browsers have it
            return self.nesting.open("br", "<br>")
        return self.nesting.close(tag.name)

    def _start(self, tag: Tag) -> str:
        if tag.name in KNOWN and tag.ends:
            return self._known(tag)
        if tag.name in _LEFT_OUT and not (tag.name in _FOREIGN and tag.attributes.endswith("/")):
            self._left_out, self._depth = tag.name, 1
        elif tag.name in ("html", "body"):
            self._roots.setdefault(tag.name, tags.attributes(tag.attributes))
        else:
            self._note(tag)
        return ""

    def _known(self, tag: Tag) -> str:
        """One that mails may have; where nobody sees it, nothing is loaded for it."""
        name, written = tag.name, tag.attributes
        self._first = self._first or name
        self._is_coloured = self._is_coloured or bool(_COLOURS.search(written))
        if name == "img":
            self._count(written)
        hides = hidden.says_hidden(name, written)
        if not hides and not self.nesting.is_hidden:
            return self.nesting.open(name, tags.rewritten(name, written))
        kept = hidden.without_images(name, tags.attributes(written))
        if kept is None:
            self._taken_out.append(self._images)
            return ""
        opened = self.nesting.open(name, tags.write(name, kept))
        if hides and name not in VOID:
            self.nesting.hide()
        return opened

    def _count(self, written: str) -> None:
        self._images += 1
        if "alt" not in tags.attributes(written, _ALT):
            self._without_alt.append(self._images)

    def _note(self, tag: Tag) -> None:
        """Keep what an element says of the whole mail; of all others nothing is kept."""
        given = tags.attributes(tag.attributes, _NOTED)
        match tag.name:
            case "title":
                self._title = self._title or escape(tags.unescaped(tag.content.strip()))
            case "style" if "media" in given:
                self._sheets.append(f"@media {given['media']}{{{tag.content}\n}}")
            case "style":
                self._sheets.append(tag.content)
            case "meta" if given.get("name", "").lower() == "color-scheme":
                if _SCHEMES.fullmatch(given.get("content", "")):
                    self._scheme = given["content"]

    def before(self) -> str:
        """The page up to the first piece of the sender's."""
        html, body = self._roots.get("html", {}), self._roots.get("body", {})
        said = {name: value for name, value in html.items() if name in ("lang", "dir")}
        framed = self._has_frame
        known = self._scheme or ("" if framed or self._is_coloured else "light dark")
        scheme = f'<meta name="color-scheme" content="{known}">\n' if known else ""
        sheet = "".join(map(scoped, self._sheets))
        return (
            f"<!doctype html>\n{tags.write('html', said)}\n<head>\n"
            '<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"{scheme}<title>{self._title}</title>\n"
            + (f"<style>\n{sheet}</style>\n" if sheet else "")
            + f"{_HEAD_END}{_BODY if framed else _FRAMELESS}"
            f'<div class="{FRAME}" style="{_FRAME_STYLE}">{_root(HTML, html)}{_root(BODY, body)}'
        )

    @property
    def _has_frame(self) -> bool:
        return bool(self._roots or self._sheets) or self._first == "table"

    def remarks(self) -> Remarks:
        taken_out = set(self._taken_out)
        return Remarks(
            taken_out=self._taken_out,
            without_alt=[one for one in self._without_alt if one not in taken_out],
            has_frame=self._has_frame,
            has_language=any(one.get("lang") for one in self._roots.values()),
        )

    def flaw(self) -> str | None:
        unended = self._unended or (f"<{self._left_out}>" if self._left_out else "")
        if unended:
            return f"{unended} does not end, and what follows would not be seen"
        if self.nesting.is_too_deep:
            return "elements are nested too deeply"
        return None


def _root(stands_for: str, given: dict[str, str]) -> str:
    """What stands for the sender's html or body, with its attributes."""
    kept = {"class": f"{stands_for} {given.get('class', '')}".strip()}
    kept |= {name: given[name] for name in ("dir", "id", "lang", "style") if name in given}
    if _COLOUR.fullmatch(given.get("bgcolor", "")):
        kept["style"] = f"background-color:{given['bgcolor']};{kept.get('style', '')}"
    return tags.write("div", kept)
