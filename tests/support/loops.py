"""A loop whose minutes pass at once, for what waits minutes by it."""

from __future__ import annotations

import asyncio


class SteppedLoop(asyncio.SelectorEventLoop):
    """Goes by the machine's clock, and further ahead with each `step`."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def step(self, seconds: float) -> None:
        """Let time pass: who waits that long is woken in the next turn."""
        self._ahead += seconds
