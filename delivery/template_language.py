"""What a template of the operator's own may say: words, choices and loops over its data. Pure.

Templates are Jinja in a sandbox, and less than that: there are no attributes but keys of
data, nothing is called, included or taken from elsewhere, and nothing grows. So each
takes time and room that its size and its data bound (`docs/templates.md`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import LoopContext

from delivery.folding import FRAME, FoldingEnvironment
from delivery.printable import TESTS
from delivery.tags import names
from delivery.template_source import Source

MOST_LOOPS: Final = 3  # in one another
_DEEPEST: Final = 40
_MOST_NODES: Final = 3000  # they are compiled while a permit runs: a third of a second
_MOST_KEPT: Final = 256  # versions
_FILTERS: Final = names(
    "abs capitalize count d default e escape first float int join last length lower reverse sort"
    " title trim truncate upper urlencode"
)
_TESTS: Final = names("boolean defined even false in integer none number odd string true undefined")
_ARGUMENTS: Final = {"d": 2, "default": 2, "float": 1, "int": 1, "join": 1, "truncate": 3}
_LONGEST_JOINT: Final = 100
_PLAIN: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr,
    nodes.Getitem, nodes.Slice, nodes.If, nodes.CondExpr, nodes.For, nodes.Assign, nodes.Filter,
    nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos,
    nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Concat, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.Keyword,
)  # fmt: skip
_GROWING: Final = (nodes.Add, nodes.Concat)
_FROM_ELSEWHERE: Final = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)
_OURS: Final = frozenset({FRAME, "loop"})
PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_REMARKS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Call: "nothing is called: filters and tests do what there is to do",
    nodes.MarkSafeIfAutoescape: "nothing is translated here: choose words by `frame.locale`",
    nodes.Mul: "nothing is multiplied: hand the result in as data",
    nodes.Pow: "nothing is multiplied: hand the result in as data",
    nodes.Mod: "there is no %: `is odd` tells every second turn of a loop",
}

Reads = Mapping[str, "Reads | None"]  # None: all of it, whatever it holds


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a template, and where; none of its words, nor of its data."""

    file: str
    line: int | None
    problem: str

    @property
    def place(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place} {self.problem}"


class OwnEnvironment(FoldingEnvironment):
    """A sandbox for templates that are not ours: values have keys and places, nothing else."""

    def __init__(self, constants: Mapping[str, str | None], **options: Any) -> None:
        super().__init__(constants, str, undefined=jinja2.StrictUndefined, **options)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.tests = {name: TESTS.get(name) or self.tests[name] for name in _TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return self.globals

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        for loop in template.find_all(nodes.For):
            # A turn that prints nothing would be seen by nobody who looks at the clock.
            loop.body.insert(0, nodes.Output([nodes.TemplateData("")], lineno=loop.lineno))
        return template


_CHECKING: Final = OwnEnvironment({}, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=_MOST_KEPT)
def flaws(source: Source) -> tuple[Flaw, ...]:
    """What keeps a template from being sent, in the order of its files and lines."""
    found = [flaw for file, held in source.files for flaw in _of_file(file, held)]
    if source.text is None and source.html is None:
        found.append(Flaw("body.txt", None, "is missing, and body.html too: give one of them"))
    return tuple(found)


@lru_cache(maxsize=_MOST_KEPT)
def reads(source: Source) -> Reads:
    """The data that a sound template looks at, by the paths that it names."""
    found: dict[str, Any] = {}
    for _, held in source.files:
        _gather(_CHECKING.parse(held), found)
    return found


def reads_of(parsed: nodes.Template) -> Reads:
    """As `reads`, of one file of ours."""
    found: dict[str, Any] = {}
    _gather(parsed, found)
    return found


def paths(known: Reads, above: str = "") -> Iterator[str]:
    """What a template asks for, each with its dots."""
    for name, within in known.items():
        if within is None:
            yield f"{above}{name}"
        else:
            yield from paths(within, f"{above}{name}.")


def sample(source: Source) -> dict[str, Any]:
    """Invented data that a sound template can be looked at with: names in the place of values."""
    parsed = [_CHECKING.parse(held) for _, held in source.files]
    found: dict[str, Any] = _invented(reads(source))
    for loop in (one for part in parsed for one in part.find_all(nodes.For)):
        path = _path(loop.iter)
        if path is None or path[0] not in found or not isinstance(loop.target, nodes.Name):
            continue
        asked: dict[str, Any] = {}
        for inner in _paths(loop):
            if inner[0] == loop.target.name and len(inner) > 1:
                _add(asked, inner[1:])
        element = _invented(asked) or loop.target.name
        within = found
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = [element, element]
    found.pop("profile", None)
    return found


def _invented(known: Reads) -> dict[str, Any]:
    return {name: name if within is None else _invented(within) for name, within in known.items()}


@dataclass(frozen=True, slots=True)
class Unread:
    """Data that a template does not look at; *nearest* is what it does, of much the same name."""

    path: tuple[str, ...]
    nearest: str | None


def unread(data: Mapping[str, Any], known: Reads, above: tuple[str, ...] = ()) -> Unread | None:
    """The first of *data* that nothing of a template reads: most likely a slip in a name."""
    for name, value in data.items():
        if name not in known:
            near = get_close_matches(name, [*known], 1)
            return Unread((*above, name), near[0] if near else None)
        within = known[name]
        if within is not None and isinstance(value, Mapping):
            found = unread(value, within, (*above, name))
            if found is not None:
                return found
    return None


def _of_file(file: str, held: str) -> Iterator[Flaw]:
    try:
        parsed = _CHECKING.parse(held)
        depth, size = _measure(parsed)
        if depth > _DEEPEST or size > _MOST_NODES:
            what = "is nested too deeply" if depth > _DEEPEST else "has too many places for words"
            yield Flaw(file, None, what)
            return
        found = [*_of_nodes(file, parsed, 0)]
        yield from sorted(found, key=lambda one: one.line or 0)
        if not found:
            _CHECKING.compile(held)  # it names filters that there are not
    except jinja2.TemplateSyntaxError as error:
        yield Flaw(file, error.lineno, _in_words(error))
    except (RecursionError, MemoryError, SyntaxError):
        yield Flaw(file, None, "is nested too deeply")


def _in_words(error: jinja2.TemplateSyntaxError) -> str:
    """What Jinja says, in one line: it quotes the template, which is the operator's own."""
    said = " ".join(str(error.message or "").split())[:200]
    return f"is no template: {said}" if said else "is no template"


def _measure(parsed: nodes.Template) -> tuple[int, int]:
    """How deeply nodes stand in nodes, and how many there are, without walking down by calls."""
    deepest = size = 0
    waiting: list[tuple[int, nodes.Node]] = [(0, parsed)]
    while waiting:
        depth, node = waiting.pop()
        deepest, size = max(deepest, depth), size + 1
        waiting += [(depth + 1, child) for child in node.iter_child_nodes()]
    return deepest, size


def _of_nodes(file: str, node: nodes.Node, loops: int, sets: bool = False) -> Iterator[Flaw]:
    problem = _problem(node, loops, sets)
    if problem is not None:
        yield Flaw(file, node.lineno, problem)
        return
    for child in node.iter_child_nodes():
        within = loops + isinstance(node, nodes.For)
        yield from _of_nodes(file, child, within, sets or isinstance(node, nodes.Assign))


def _problem(node: nodes.Node, loops: int, sets: bool) -> str | None:
    """What of a node itself is not for templates of this kind."""
    if isinstance(node, _FROM_ELSEWHERE):
        return (
            "takes something from elsewhere: frame and footer are the gateway's, the rest is here"
        )
    if type(node) not in _PLAIN:
        return _REMARKS.get(type(node), f"uses what templates do not have here: {_named(node)}")
    if sets and (isinstance(node, _GROWING) or _joins(node)):
        return "puts together in a `set` what may grow: do it where it is printed"
    return _of_filter(node) if isinstance(node, nodes.Filter) else _of_this(node, loops)


def _of_this(node: nodes.Node, loops: int) -> str | None:
    match node:
        case nodes.For() if node.recursive:
            return "has a recursive loop"
        case nodes.For() if loops >= MOST_LOOPS:
            return f"has more than {MOST_LOOPS} loops in one another"
        case nodes.Name() if node.name == FRAME and node.ctx != "load":
            return "gives `frame` a meaning of its own, which is the gateway's"
        case nodes.Getattr() if node.attr.startswith("_"):
            return "asks for an attribute; values have none but their keys"
        case nodes.Test() if node.name in ("odd", "even") and not _of_loop(node.node):
            return f"asks whether something else than `loop.index` is {node.name}"
        case _:
            return None


def _of_filter(node: nodes.Filter) -> str | None:
    given = [*node.args, *(one.value for one in node.kwargs)]
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "spreads arguments out"
    if len(given) > _ARGUMENTS.get(node.name, 0) and node.name in _FILTERS:
        return f"gives more to the filter `{node.name}` than it takes here"
    if _joins(node) and any(not _is_joint(one) for one in given):
        return f"joins by something else than a text of up to {_LONGEST_JOINT} characters"
    return None


def _joins(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name == "join"


def _is_joint(node: nodes.Node) -> bool:
    said = node.value if isinstance(node, nodes.Const) else None
    return isinstance(said, str) and len(said) <= _LONGEST_JOINT


def _of_loop(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Getattr)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "loop"
    )


def _named(node: nodes.Node) -> str:
    return type(node).__name__.lower()


def _gather(parsed: nodes.Template, found: dict[str, Any]) -> None:
    """Add what one file reads: a name whose parts alone are asked for has these, another all."""
    asked = meta.find_undeclared_variables(parsed) - _OURS
    given = {one.name for one in parsed.find_all(nodes.Name) if one.ctx != "load"}
    alone = {path[0] for path in _paths(parsed) if len(path) == 1}
    for name in asked & (given | alone):
        found[name] = None
    for path in _paths(parsed):
        if path[0] in asked:
            _add(found, path)


def _add(found: dict[str, Any], path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        within = found.setdefault(name, {})
        if within is None:
            return
        found = within
    found[path[-1]] = None


def _paths(node: nodes.Node) -> Iterator[tuple[str, ...]]:
    """Each name that is read, with the keys that are asked of it there."""
    path = _path(node)
    if path is not None:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child)


def _path(node: nodes.Node) -> tuple[str, ...] | None:
    keys: list[str] = []
    while isinstance(node, nodes.Getattr):
        keys.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        return None
    return (node.name, *reversed(keys)) if node.ctx == "load" else None
