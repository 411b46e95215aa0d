"""What people would see of a text."""

from __future__ import annotations

import unicodedata


def is_blank(value: str) -> bool:
    """Whether nothing of *value* would be seen: spaces of any kind, characters without a shape."""
    return all(one.isspace() or unicodedata.category(one).startswith("C") for one in value)
