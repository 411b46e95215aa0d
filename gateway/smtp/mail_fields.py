"""The fields of a mail as they read, whatever they hold."""

from __future__ import annotations

import email.policy
from email.message import Message


def of(mail: Message) -> list[tuple[str, str]]:
    """Each with its name, in their order."""
    return [(name, _said(name, str(raw))) for name, raw in mail.raw_items()]


def _said(name: str, raw: str) -> str:
    """What a field says; as it stands there where the library cannot take it apart."""
    try:
        return str(email.policy.default.header_fetch_parse(name, raw))
    except (ValueError, LookupError, AttributeError):  # what it makes of malformed ones
        return raw.encode("utf-8", "replace").decode()
