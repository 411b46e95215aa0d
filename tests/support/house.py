"""The figures of the house: how big its parts are, and what they may touch.

    .venv/bin/python -m tests.support.house              of this tree
    .venv/bin/python -m tests.support.house c7d57fd      of a revision, beside it

Of product code only: what stands in the five packages. Migrations count neither for sizes nor for
what was copied: each says once what its tables are, and stays as it is.
"""

from __future__ import annotations

import ast
import io
import keyword
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("storage", "audit", "consent", "delivery", "gateway")
SHAPE = 6  # lines that count as copied when they have the same shape
_NOTHING = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_SHAPES = {tokenize.STRING: "s", tokenize.NUMBER: "0"}


@dataclass(frozen=True)
class Sized:
    """Something with a length in lines, from its first to its last."""

    lines: int
    name: str

    def __str__(self) -> str:
        return f"{self.lines} ({self.name})"


@dataclass(frozen=True)
class House:
    """What was measured of one tree."""

    files: list[Sized]
    functions: list[Sized]
    at_the_top: list[str]  # modules of gateway/ that stand in no folder of it
    taking_parts: list[str]  # functions that are handed the whole gateway
    comments: float  # share of lines that are a comment
    copied: int  # shapes of six lines that stand in several places
    named_one: int

    @property
    def longest_file(self) -> Sized:
        return max(self.files, key=lambda file: file.lines)

    @property
    def longest_function(self) -> Sized:
        return max(self.functions, key=lambda function: function.lines)

    def table(self) -> dict[str, str]:
        """Each figure, as it is read."""
        return {
            "modules at the top of gateway/": str(len(self.at_the_top)),
            "functions that take Parts": str(len(self.taking_parts)),
            "longest file": str(self.longest_file),
            "longest function": str(self.longest_function),
            "median function": f"{statistics.median(f.lines for f in self.functions):g}",
            "files, functions": f"{len(self.files)}, {len(self.functions)}",
            "lines that are comments": f"{self.comments:.2%}",
            f"shapes of {SHAPE} lines in several places": str(self.copied),
            "uses of `one` as a name": str(self.named_one),
        }


def measure(root: Path) -> House:
    """Read every product file below *root*."""
    sources = {path.relative_to(root).as_posix(): path.read_text() for path in _product(root)}
    sized = {name: text for name, text in sources.items() if "/migrations/" not in name}
    functions = [(name, one) for name, text in sources.items() for one in _functions(text)]
    tokens = {name: _tokens(text) for name, text in sources.items()}
    lines = sum(text.count("\n") for text in sources.values())
    return House(
        files=[Sized(text.count("\n"), name) for name, text in sized.items()],
        functions=[_sized(name, one) for name, one in functions if name in sized],
        at_the_top=[
            name
            for name in sources
            if name.startswith("gateway/") and name.count("/") == 1 and "/__" not in name
        ],
        taking_parts=[f"{name}: {one.name}" for name, one in functions if _takes_parts(one)],
        comments=sum(_is_comment(one) for found in tokens.values() for one in found) / lines,
        copied=_copied({name: tokens[name] for name in sized}),
        named_one=sum(one.string == "one" for found in tokens.values() for one in found),
    )


def _product(root: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(source: str) -> Iterator[_Function]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, _Function))


def _sized(file: str, function: _Function) -> Sized:
    assert function.end_lineno is not None
    return Sized(function.end_lineno - function.lineno + 1, f"{file}: {function.name}")


def _takes_parts(function: _Function) -> bool:
    arguments = function.args
    taken = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return any(arg.annotation is not None and _names_parts(arg.annotation) for arg in taken)


def _names_parts(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).strip("'\"").rpartition(".")[2] == "Parts"


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def _is_comment(token: tokenize.TokenInfo) -> bool:
    return token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")


def _copied(files: dict[str, list[tokenize.TokenInfo]]) -> int:
    """How many shapes stand in several places that do not overlap."""
    places: Counter[tuple[str, ...]] = Counter()
    for tokens in files.values():
        shapes, last = list(_shapes(tokens)), dict[tuple[str, ...], int]()
        for at in range(len(shapes) - SHAPE + 1):
            window = tuple(shapes[at : at + SHAPE])
            if at - last.get(window, -SHAPE) >= SHAPE:
                places[window] += 1
                last[window] = at
    return sum(count > 1 for count in places.values())


def _shapes(tokens: list[tokenize.TokenInfo]) -> Iterator[str]:
    """Each line without its names, texts and numbers; imports and docstrings are left out."""
    code = (one for one in tokens if one.type not in _NOTHING | {tokenize.COMMENT})
    for _, line in groupby(code, key=lambda token: token.start[0]):
        found = list(line)
        is_docstring = [one.type for one in found] == [tokenize.STRING]
        if not is_docstring and found[0].string not in ("import", "from"):
            yield " ".join(_shape(one) for one in found)


def _shape(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
        return "n"
    return _SHAPES.get(token.type, token.string)


def of_revision(revision: str) -> House:
    """As `measure`, of a commit of this repository."""
    archive = ["git", "-C", str(ROOT), "archive", revision, "--", *PACKAGES]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=packed, check=True)
        return measure(Path(directory))


def main(revisions: list[str]) -> int:
    trees = {revision: of_revision(revision).table() for revision in revisions}
    trees["here"] = measure(ROOT).table()
    rows = [
        ["", *trees],
        *([row, *(tree[row] for tree in trees.values())] for row in trees["here"]),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
