"""Which domains give mailboxes to everybody: there one address is one person's mailbox."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("mailbox_providers.txt")


@cache
def mailbox_providers() -> frozenset[str]:
    """Their domains, in ASCII and lower case as those of addresses are."""
    lines = (line.partition("#")[0] for line in _LIST.read_text().splitlines())
    return frozenset(domain for line in lines for domain in line.split())
