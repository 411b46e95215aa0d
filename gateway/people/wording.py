"""A wording as pages show it: in the words that were agreed to, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
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
        **behind(text.bundle),
    }


def behind(bundle: Mapping[str, Any]) -> dict[str, str]:
    """Who would write under a wording, by what address, and where its imprint and notice are."""
    return {
        "sender": bundle["sender"]["name"],
        "sender_address": bundle["sender"]["from_address"],
        "imprint_url": bundle["imprint_url"],
        "notice_url": f"/notices/{bundle['notice']}",
    }
