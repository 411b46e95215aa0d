"""Templates with everything put in already that is the same for every recipient.

Translations and what a sender's frame says are looked up when a template is
compiled, not for every mail: what is left to render are the words about one
person, and rendering costs a third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

FRAME: Final = "frame"
_GETTEXT: Final = ("gettext", "_")

Constant = str | None


def leaves(values: Mapping[str, Any], path: str = FRAME) -> Iterator[tuple[str, Constant]]:
    """The dotted names of what is a text, or nothing, in nested mappings."""
    for name, value in values.items():
        if isinstance(value, dict):  # asked for every mail; `Mapping` takes five times as long
            yield from leaves(value, f"{path}.{name}")
        elif value is None or isinstance(value, str):
            yield f"{path}.{name}", value


class Value(str):
    """What a template prints for one mail; what it says in every mail is a plain `str`."""

    __slots__ = ()


class _Telling(CodeGenerator):
    """Lets what is worked out for a mail be told from what stands in the template."""

    def _output_child_pre(self, *of: Any) -> None:
        self.write("environment.value(")
        super()._output_child_pre(*of)

    def _output_child_post(self, *of: Any) -> None:
        super()._output_child_post(*of)
        self.write(")")

    def start_write(self, frame: Frame, node: nodes.Node | None = None) -> None:
        """What calls, filters over a block, and loops within loops work out."""
        super().start_write(frame, node)
        self.write("environment.value(")

    def end_write(self, frame: Frame) -> None:
        self.write(")")
        super().end_write(frame)

    def simple_write(self, s: str, frame: Frame, node: nodes.Node | None = None) -> None:
        """The pieces of another template, which are told apart there."""
        super().start_write(frame, node)
        self.write(s)
        super().end_write(frame)

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:
        """A block that is shown again comes in its pieces, not as what they make together."""
        again = {n: name for n, one in enumerate(node.nodes) if (name := _shown_again(one))}
        if not again or frame.buffer is not None or frame.require_output_check:
            return super().visit_Output(node, frame)
        for n, one in enumerate(node.nodes):
            if n in again:
                self.writeline(f"yield from context.blocks[{again[n]!r}][0](context)", one)
            else:
                super().visit_Output(nodes.Output([one], lineno=node.lineno), frame)
        return None


class FoldingEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox whose templates know *constants* (by dotted name) and their language."""

    code_generator_class = _Telling
    value = Value

    def __init__(
        self,
        constants: Mapping[str, Constant],
        translate: Callable[[str], str],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._constants = constants
        self._translate = translate

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Without ones of a template's own: Jinja would copy all of them anew for every mail."""
        return super().make_globals(d) if d else self.globals

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        if not {FRAME, *_GETTEXT}.isdisjoint(_taken(template)):
            return template  # it gives one of the names a meaning of its own
        folded = _Folding(self._constants, self._translate).visit(template)
        assert isinstance(folded, nodes.Template)  # noqa: S101 a root stays what it is
        return folded


def _taken(template: nodes.Template) -> Iterator[str]:
    """The names that a template sets, by whichever statement."""
    yield from (one.name for one in template.find_all(nodes.Name) if one.ctx != "load")
    yield from (one.name for one in template.find_all(nodes.Macro))
    yield from (one.target for one in template.find_all(nodes.Import))
    for imported in template.find_all(nodes.FromImport):
        yield from (one if isinstance(one, str) else one[1] for one in imported.names)


class _Folding(NodeTransformer):
    def __init__(self, constants: Mapping[str, Constant], translate: Callable[[str], str]) -> None:
        self._constants = constants
        self._translate = translate
        self._elifs: set[nodes.If] = set()

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        path = _path(node)
        if path is None or path not in self._constants:
            return self.generic_visit(node)
        return nodes.Const(self._constants[path], lineno=node.lineno)

    def visit_If(self, node: nodes.If) -> nodes.Node | list[nodes.Node]:
        """A choice that is the same for all mails is made once.

        Not where there are more than two: Jinja keeps an `elif` as a node that
        must stay what it is.
        """
        self._elifs |= set(node.elif_)
        self.generic_visit(node)
        if not isinstance(node.test, nodes.Const) or node.elif_ or node in self._elifs:
            return node
        return node.body if node.test.value else node.else_

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        message = _message(node)
        if message is None:
            return node
        return self._formatted(self._translate(message), node)

    def _formatted(self, text: str, call: nodes.Call) -> nodes.Node:
        """As Jinja's own gettext: the text is trusted, what is put into it is not."""
        at = call.lineno
        if not call.kwargs:
            return nodes.MarkSafeIfAutoescape(nodes.Const(text % {}, lineno=at), lineno=at)
        pairs = [
            nodes.Pair(nodes.Const(one.key, lineno=at), one.value, lineno=at) for one in call.kwargs
        ]
        trusted = nodes.MarkSafeIfAutoescape(nodes.Const(text, lineno=at), lineno=at)
        return nodes.Mod(trusted, nodes.Dict(pairs, lineno=at), lineno=at)


def _path(node: nodes.Node) -> str | None:
    """`frame.sender.name` of the nodes that read it; None for any other expression."""
    names = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name) or node.name != FRAME:
        return None
    return ".".join([FRAME, *reversed(names)])


def _message(call: nodes.Call) -> str | None:
    """The literal message of a plain gettext call; None when it is anything else."""
    is_gettext = isinstance(call.node, nodes.Name) and call.node.name in _GETTEXT
    if not is_gettext or call.dyn_args or call.dyn_kwargs or len(call.args) != 1:
        return None
    (message,) = call.args
    return message.value if isinstance(message, nodes.Const) else None


def _shown_again(node: nodes.Expr) -> str | None:
    """The name of a block of `{{ self.name() }}`; None for any other expression."""
    if not isinstance(node, nodes.Call) or node.args or node.kwargs:
        return None
    match node.node:
        case nodes.Getattr(node=nodes.Name(name="self")) as block:
            return block.attr
        case _:
            return None
