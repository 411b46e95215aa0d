"""Commands run inside the test's own process, as the operator runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ran:
    """What one command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def levels(examined: Ran, about: str) -> set[str]:
    """How the doctor judged one thing."""
    return {one["level"] for one in examined.json if one["about"] == about}
