"""Foreign HTML that is meant to take long: time per byte at 1 MB against that at 10 KB.

What takes longest is searched for: pieces that make readers look twice, alone, in
pairs, after a deep beginning, and inside of a style sheet; the worst are measured again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from benchmarks.figures import Figure, tell
from benchmarks.gateway import pin
from delivery import markup
from delivery.plain_text import plain_text
from tests.support.hostile_markup import SEEDS

SMALL, LARGE = 10_000, 1_000_000
PAIRS, WORST, ROUNDS = 150, 12, 5
_DEEP = "<table><tr><td>" + "<span>" * 190


def run() -> None:
    pin({0})
    growths = {name: _growth(*parts) for name, *parts in _inputs()}
    worst = sorted(growths, key=lambda name: growths[name], reverse=True)[:WORST]
    inputs = {name: parts for name, *parts in _inputs()}
    figures = []
    for name in worst:
        rounds = [_growth(*inputs[name], tries=3) for _ in range(ROUNDS)]
        figures.append(Figure(f"{name!r:.40}: 1 MB / 10 KB, per byte", "x", rounds))
    slowest = max(_seconds(*parts, LARGE) for _, *parts in _inputs())
    tell(
        *figures,
        Figure(f"the largest of {len(growths)} inputs (must 1.5)", "x", [max(f.median for f in figures)]),
        Figure("the slowest megabyte", "s", [slowest]),
    )


def _inputs() -> Iterator[tuple[str, str, str]]:
    """Name, beginning, and what is repeated."""
    dice = random.Random(10)  # noqa: S311, TID251 the same search each time
    for seed in SEEDS:
        yield seed, "", seed
        yield f"deep {seed}", _DEEP, seed
        yield f"style {seed}", "<style>", seed
    for _ in range(PAIRS):
        pair = "".join(dice.choices(SEEDS, k=dice.randint(2, 4)))
        yield pair, dice.choice(["", _DEEP, "<style>", "<a href='"]), pair


def _growth(beginning: str, repeated: str, tries: int = 1) -> float:
    """How much longer a byte takes in a long mail; small ones in a row, for as much work."""
    large = min(_seconds(beginning, repeated, LARGE) for _ in range(tries))
    small = min(
        sum(_seconds(beginning, repeated, SMALL) for _ in range(LARGE // SMALL // 4)) * 4
        for _ in range(tries)
    )
    return large / small


def _seconds(beginning: str, repeated: str, size: int) -> float:
    text = beginning + repeated * ((size - len(beginning)) // len(repeated))
    begun = time.perf_counter()
    plain_text(markup.read(text).page)
    return time.perf_counter() - begun
