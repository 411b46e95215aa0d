"""Which test shows that a sentence is true.

A sentence of a page, a mail or the notice that says what the gateway does is
named by the test of that fact, as the templates have it, in English;
`tests/unit/test_every_word.py` compares these names with every catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable[..., object])


def says(*_sentences: str) -> Callable[[T], T]:
    """Name the sentences whose fact a test shows: for whoever reads the sources."""
    return lambda test: test
