"""A template of the operator's own, as it stood at one moment. Pure.

Its version is the hash of its bytes, and its name is among them: what was accepted under a
version is that, whatever became of the directory since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

PARTS: Final = {"subject.txt": "subject", "body.txt": "text", "body.html": "html"}


class NoSource(Exception):
    """Bytes that no version was ever written as."""


@dataclass(frozen=True, slots=True)
class Source:
    """The parts of one template; of the two bodies one at least is there."""

    name: str
    subject: str = field(repr=False)
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)

    def part(self, file: str) -> str | None:
        """What a file of it holds; None: there is none."""
        found = getattr(self, PARTS[file])
        return found if isinstance(found, str) else None

    @property
    def files(self) -> Iterator[tuple[str, str]]:
        """Each file that there is, with what it holds."""
        for file in PARTS:
            if (held := self.part(file)) is not None:
                yield file, held


def write(source: Source) -> bytes:
    """The bytes that the version is the hash of."""
    said = {"name": source.name} | {file: held for file, held in source.files}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read(raw: bytes) -> Source:
    """Read what `write` wrote; raises `NoSource` for anything else."""
    try:
        said = json.loads(raw)
        held = [said["name"], said["subject.txt"]]
        found = Source(*held, *(said.get(file) for file in ("body.txt", "body.html")))
        if write(found) == raw and all(isinstance(one, str) for one in held):
            return found
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise NoSource


def version_of(raw: bytes) -> str:
    """The name of a version: that of its bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
