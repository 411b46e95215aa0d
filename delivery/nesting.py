"""Elements in elements, so that no two readers see two trees. Pure.

HTML's own rules mend what is nested wrongly, by moving it about, and every reader must
do it alike. Here it is closed before it comes to that: what was written has one reading.
Where a name was opened last is known without a search, so that who nests deeply
waits no longer than others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from delivery.tags import names

DEEPEST: Final = 200  # browsers stop at 512, and put rows into a body that nobody wrote
VOID: Final = names("area br col hr img wbr")
_HEADINGS: Final = names("h1 h2 h3 h4 h5 h6")
_TABLE: Final = names("caption colgroup table tbody td tfoot th thead tr")
_BLOCKS: Final = _HEADINGS | names(
    "address article aside blockquote center dd dir div dl dt figcaption figure footer header hr"
    " li main menu nav ol p pre section table ul"
)
_FORMATTING: Final = names("a b big code em font i s small strike strong tt u")
_INLINE: Final = names(
    "abbr acronym bdi bdo cite del dfn ins kbd map mark q samp span sub sup time var"
)
KNOWN: Final = VOID | _TABLE | _BLOCKS | _FORMATTING | _INLINE
# What an element closes that is open around it, unless something stands between.
_ENDS: Final = {"a": ("a",), "dd": ("dd", "dt"), "dt": ("dd", "dt"), "li": ("li",)}
_BETWEEN: Final = {"dd": ("dl",), "dt": ("dl",), "li": ("ol", "ul", "menu", "dir")}
_CELLS: Final = ("caption", "table", "td", "th")
_ROWS: Final = ("table", "tbody", "tfoot", "thead")
# Within which elements a part of a table stands; others that are open in them are closed.
_HOLDERS: Final = {
    "caption": ("table",),
    "col": ("table", "colgroup"),
    "colgroup": ("table",),
    "tbody": ("table",),
    "td": (*_ROWS, "tr"),
    "tfoot": ("table",),
    "th": (*_ROWS, "tr"),
    "thead": ("table",),
    "tr": _ROWS,
}
_BLOCK: Final = "a block"  # no name of an element


class Nesting:
    """What is open. Each method returns the tags that are to be written."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._at: dict[str, list[int]] = defaultdict(list)
        self._hidden_from: int | None = None  # the outermost that hides what is in it
        self.is_too_deep = False

    def open(self, name: str, tag: str) -> str:
        """Open a known element by its *tag*, and close before what it would not stand in."""
        holders = _HOLDERS.get(name)
        if holders is not None:
            before = self._into_table(name, holders)
            if before is None:
                return ""  # a part of no table
        else:
            before = self._into_cell() + self._ended_by(name)
        return before + self._push(name, tag)

    def close(self, name: str) -> str:
        """Close an element, with what is open in it; nothing where it is not open, or not here."""
        at = self._last(name)
        if name in _TABLE:
            around = self._last("table") if name != "table" else -1
        else:
            around = self._last(*_CELLS)
            if name in _INLINE:
                around = max(around, self._last(_BLOCK))
        return self._close_from(at) if at > around else ""

    @property
    def is_hidden(self) -> bool:
        """Whether what is opened now is in an element that hides it."""
        return self._hidden_from is not None

    def hide(self) -> None:
        """Say that the element that was opened last hides what is in it."""
        if self._hidden_from is None and self._open:
            self._hidden_from = len(self._open) - 1

    def close_all(self) -> str:
        return self._close_from(0)

    def _push(self, name: str, tag: str) -> str:
        if name in VOID:
            return tag
        if len(self._open) >= DEEPEST:
            self.is_too_deep = True
            return ""
        self._at[name].append(len(self._open))
        if name in _BLOCKS:
            self._at[_BLOCK].append(len(self._open))
        self._open.append(name)
        return tag

    def _last(self, *names: str) -> int:
        """Where one of the names was opened last; -1: nowhere."""
        return max((self._at[name][-1] for name in names if self._at.get(name)), default=-1)

    def _close_from(self, at: int) -> str:
        closed = self._open[at:]
        del self._open[at:]
        if self._hidden_from is not None and at <= self._hidden_from:
            self._hidden_from = None
        for name in closed:
            self._at[name].pop()
            if name in _BLOCKS:
                self._at[_BLOCK].pop()
        return "".join(f"</{name}>" for name in reversed(closed))

    def _into_table(self, name: str, holders: tuple[str, ...]) -> str | None:
        """Close down to where a part of a table may stand; None outside of tables."""
        at = self._last(*holders)
        if at < 0:
            return None
        closed = self._close_from(at + 1)
        if name in ("td", "th") and self._open[-1] != "tr":
            closed += self._push("tr", "<tr>")
        return closed

    def _into_cell(self) -> str:
        """What stands in a table beside its cells would be moved before it: it gets a cell."""
        top = self._open[-1] if self._open else ""
        if top == "colgroup":
            return self._close_from(len(self._open) - 1) + self._into_cell()
        if top in _ROWS:
            return self._push("tr", "<tr>") + self._push("td", "<td>")
        return self._push("td", "<td>") if top == "tr" else ""

    def _ended_by(self, name: str) -> str:
        """Close the paragraph that a block ends, the item that the next one ends, and the like."""
        closed = ""
        if name in _BLOCKS:
            closed = self._end(("p",), ())
        if name in _HEADINGS and self._open and self._open[-1] in _HEADINGS:
            closed += self._close_from(len(self._open) - 1)
        return closed + self._end(_ENDS.get(name, ()), _BETWEEN.get(name, ()))

    def _end(self, names: tuple[str, ...], between: tuple[str, ...]) -> str:
        at = self._last(*names)
        return self._close_from(at) if at > self._last(*_CELLS, *between) else ""
