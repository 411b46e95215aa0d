"""Rounds, medians, spread."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One quantity over several rounds."""

    name: str
    unit: str
    rounds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        low, high = min(self.rounds), max(self.rounds)
        spread = f"({low:,.4g} .. {high:,.4g}, {len(self.rounds)} rounds)"
        return f"{self.name:<58} {self.median:>12,.4g} {self.unit:<8} {spread}"


def ratio(name: str, ours: Figure, other: Figure) -> Figure:
    """Round by round, so that a machine that drifts does not matter."""
    pairs = zip(ours.rounds, other.rounds, strict=True)
    return Figure(name, "x", [one / two for one, two in pairs])


def tell(*figures: Figure) -> None:
    for figure in figures:
        sys.stdout.write(f"{figure}\n")
    sys.stdout.flush()
