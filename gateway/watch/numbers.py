"""Numbers as people read them."""

from __future__ import annotations


def counted(number: int, one: str, more: str | None = None) -> str:
    """So many of what is called *one*; *more* is its plural, where that is not *one* with an s."""
    return f"{number} {one if number == 1 else more or one + 's'}"
