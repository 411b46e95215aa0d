"""Sets one paper as PDF, in a process of its own: `python -m gateway.look.typeset TEMPLATE`.

Reads the values of the paper from standard input and writes the PDF to standard
output. What it takes of memory goes with it, and whoever started it can end it. It
reads one file, the template, and asks the network for nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import typst

from gateway.look.papers import NO_MEMORY

_MOST_MEMORY: Final = 5 * 1024**3 // 2  # of addresses; a report of 50,000 events takes less than 2
# PDF/UA: readable by who does not see; PDF/A: in many years, without anything of today's.
_STANDARDS: Final[Sequence[Literal["ua-1", "a-2a"]]] = ["ua-1", "a-2a"]


def typeset(template: Path, values: str) -> bytes:
    """The PDF, by PDF/UA and PDF/A unless a letter is in none of its typefaces.

    Then those of this machine are asked, and what is in none is a box: a paper with a
    box is better than none.
    """
    given, root = {"paper": values}, template.parent
    try:
        return typst.compile(
            template,
            root=root,
            sys_inputs=given,
            pdf_standards=list(_STANDARDS),
            ignore_system_fonts=True,
        )
    except typst.TypstError:
        return typst.compile(template, root=root, sys_inputs=given)


def _bound() -> None:
    """Where the system lets a process bound itself; elsewhere its patience is what ends it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)  # mails come first


def main() -> None:
    _bound()
    values = sys.stdin.buffer.read().decode()
    try:
        made = typeset(Path(sys.argv[1]), values)
    except MemoryError:
        sys.exit(NO_MEMORY)
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
