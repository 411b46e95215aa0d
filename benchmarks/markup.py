"""Foreign HTML that is meant to take long: time per byte at 1 MB against that at 10 KB.

What takes longest is searched for: pieces that make readers look twice, alone, in
pairs, after a deep beginning, and inside of a style sheet. The search looks at 160 KB; what
grew most there is measured at 1 MB.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random  # noqa: TID251 the same search each time

from benchmarks.figures import Figure, tell
from benchmarks.gateway import pin
from delivery import markup
from delivery.plain_text import plain_text
from tests.support.hostile_markup import SEEDS

SMALL, MEDIUM, LARGE = 10_000, 160_000, 1_000_000
PAIRS, WORST, ROUNDS = 100, 6, 3
_DEEP = "<table><tr><td>" + "<span>" * 190


NEWSLETTER = (
    '<!doctype html><html lang="en"><head><title>News</title><style>p{margin:0 0 16px}'
    "@media (max-width:480px){.card{padding:8px!important}}</style></head><body>"
    + '<table width="600" cellpadding="0"><tr><td class="card" style="padding:20px;color:#222">'
    '<h2 style="margin:0">A title of some words</h2><p>A paragraph of <b>ordinary</b> length, as '
    "they stand in newsletters, with two or three sentences. It goes on for a while.</p>"
    '<p><a href="https://www.acme.example/?a=1&amp;b=2" style="color:#123">Read on</a></p>'
    "</td></tr></table>" * 50 + "</body></html>"
)


@dataclass(frozen=True)
class Hostile:
    """A text that begins once, and repeats itself."""

    beginning: str
    repeated: str


def run() -> None:
    pin({0})
    inputs = dict(_inputs())
    searched = {name: (_growth(one, MEDIUM), _seconds(one, MEDIUM)) for name, one in inputs.items()}
    worst = sorted(inputs, key=lambda name: searched[name][0], reverse=True)[:WORST]
    slowest = max(inputs, key=lambda name: searched[name][1])
    figures = [
        Figure(
            f"{name!r:.34}: 1 MB / 10 KB",
            "x",
            [_growth(inputs[name], LARGE) for _ in range(ROUNDS)],
        )
        for name in worst
    ]
    tell(
        *figures,
        Figure(
            f"largest growth of {len(inputs)} inputs (must 1.5)",
            "x",
            [max(figure.median for figure in figures)],
        ),
        Figure(
            f"slowest: a megabyte of {slowest!r:.20}",
            "s",
            [_seconds(inputs[slowest], LARGE) for _ in range(ROUNDS)],
        ),
        *_ordinary(),
    )


def _ordinary() -> list[Figure]:
    """A newsletter, made whole as a caller hands it in, and as one of many of a template."""
    source = NEWSLETTER
    shapes = markup.Shapes()
    works: dict[str, Callable[[], object]] = {
        "newsletter of %.0f kB made whole" % (len(source) / 1000): lambda: markup.read(source),
        "the same, its tags having come before": lambda: markup.read(source, shapes),
    }
    return [
        Figure(name, "us", [_microseconds(work) for _ in range(ROUNDS)])
        for name, work in works.items()
    ]


def _microseconds(work: Callable[[], object], times: int = 50) -> float:
    begun = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun) / times * 1e6


def _inputs() -> Iterator[tuple[str, Hostile]]:
    dice = Random(10)  # noqa: S311
    for seed in SEEDS:
        yield seed, Hostile("", seed)
        yield f"deep {seed}", Hostile(_DEEP, seed)
        yield f"style {seed}", Hostile("<style>", seed)
    for _ in range(PAIRS):
        pair = "".join(dice.choices(SEEDS, k=dice.randint(2, 4)))
        yield pair, Hostile(dice.choice(["", _DEEP, "<style>", "<a href='"]), pair)


def _growth(one: Hostile, size: int) -> float:
    """How much longer a byte takes in a mail of *size* than in short ones."""
    short = 25  # of them in a row: one alone is over before a clock notices
    small = min(sum(_seconds(one, SMALL) for _ in range(short)) for _ in range(2))
    return _seconds(one, size) / size / (small / short / SMALL)


def _seconds(one: Hostile, size: int) -> float:
    """Of the processor: neighbours on the machine do not count."""
    text = one.beginning + one.repeated * ((size - len(one.beginning)) // len(one.repeated))
    begun = time.thread_time()
    plain_text(markup.read(text).page)
    return time.thread_time() - begun
