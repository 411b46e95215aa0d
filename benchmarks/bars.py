"""What ratios are held to, and what the other programs of a comparison print.

Nothing here runs anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_COUNTED: Final = re.compile(rb"mesg=\s*(\d+)")
_SIGNED: Final = re.compile(r"^rsa +2048 bits .* ([\d.]+) +[\d.]+$", re.MULTILINE)
# What smtp-sink writes before a mail that it keeps.
_KEPT: Final = re.compile(
    rb"(?:X-[^\n]+\n)+Received: from [^\n]*\n\tby smtp-sink [^\n]*\n\t[^\n]*\n"
)


@dataclass(frozen=True)
class Bar:
    """What a ratio must be, and what is aimed at; more is better."""

    must: float
    aim: float

    def verdict(self, value: float) -> str:
        """How *value* stands, in words that one can look for."""
        if value >= self.aim:
            return "aim met"
        return "must met" if value >= self.must else f"NOT MET: {value / self.must:.0%} of it"


@dataclass(frozen=True)
class Tool:
    """A program of others, and how to get it."""

    command: str
    source: str


def missing(tools: Iterable[Tool], find: Callable[[str], str | None]) -> list[str]:
    """A line for each that *find* does not find."""
    return [f"{one.command} is missing: {one.source}" for one in tools if find(one.command) is None]


def counted(said: bytes) -> int | None:
    """How many mails `smtp-sink -c` had when it said the last of this; None: it says nothing."""
    found = _COUNTED.findall(said)
    return int(found[-1]) if found else None


def signatures(said: str) -> float:
    """How many a second `openssl speed rsa2048` makes; ValueError where it does not say."""
    found = _SIGNED.search(said)
    if found is None:
        raise ValueError("openssl speed names no rate of rsa 2048")
    return float(found[1])


def kept(dump: bytes) -> bytes:
    """A mail as it came over the wire, of a file that `smtp-sink -d` wrote."""
    mail = dump[found.end() :] if (found := _KEPT.match(dump)) else dump
    return mail.removesuffix(b"\n").replace(b"\n", b"\r\n")


def turns(round_: int, names: Sequence[str]) -> list[str]:
    """In which order a round goes: each time another begins, so that none always follows one."""
    first = round_ % len(names) if names else 0
    return [*names[first:], *names[:first]]
