"""What an examination finds: one line, and where it is not well, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How well something is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    level: Level
    about: str
    text: str
    fix: str = ""


def ok(about: str, said: str) -> Finding:
    return Finding(Level.OK, about, said)


def warn(about: str, said: str, fix: str) -> Finding:
    return Finding(Level.WARN, about, said, fix)


def fail(about: str, said: str, fix: str) -> Finding:
    return Finding(Level.FAIL, about, said, fix)
