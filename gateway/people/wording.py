"""A wording as pages show it: in the words that were agreed to, or not at all."""

from __future__ import annotations

from typing import Any

from consent.texts import Text


def shown(text: Text | None, purpose: str) -> dict[str, Any]:
    """What a page is given of a wording; of one that is not what it was, only its purpose.

    Any other words in its place would be read as those that were agreed to.
    """
    if text is None:
        return {"title": purpose, "text": None, "locale": "", "sender": None}
    return {
        "title": text.bundle["title"],
        "text": text.bundle["text"],
        "locale": text.locale,
        "sender": text.bundle["sender"]["name"],
    }
