"""The verifier that lies in every bundle, as a module: one code for us and for who distrusts us."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import BinaryIO

from gateway.look import resources

_NAME = "verify_audit"


@cache
def module() -> ModuleType:
    """`templates/bundle/verify_audit.py`; it knows nothing of ours."""
    spec = spec_from_file_location(_NAME, resources.templates() / "bundle" / f"{_NAME}.py")
    if spec is None or spec.loader is None:
        raise ImportError(_NAME)
    made = module_from_spec(spec)
    sys.modules[_NAME] = made  # where its dataclasses look for it
    spec.loader.exec_module(made)
    return made


def check(
    file: BinaryIO,
    keys: str,
    held: Sequence[str],
    *,
    needed: int | None = None,
    as_json: bool = False,
) -> tuple[bool, str]:
    """Whether a bundle is sound by these keys and kept notes, and what there is to say of it.

    *needed* is how many witnesses, of those whose keys are given, must have signed.
    """
    verifier = module()
    found = verifier.judge(file, keys, [note.encode() for note in held], needed)
    return not isinstance(found, verifier.Fault), verifier.said(found, as_json)


def has_lines(file: BinaryIO) -> bool:
    """Whether a file is an export as lines, which that verifier leaves to others."""
    lines: bytes = module().LINES
    return file.read(len(lines)) == lines


def kept_in(raw: bytes) -> str:
    """The checkpoint that somebody kept, by itself or in the mail that brought it."""
    note: bytes = module().kept_in(raw)
    return note.decode(errors="replace")
