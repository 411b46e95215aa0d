"""A sender's logo: a small file of the operator's, put into the page itself.

So a page still loads nothing, and nobody learns who opened it.
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

LARGEST = 64 * 1024
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


def problem_of(path: Path) -> str | None:
    """What is wrong with the file as a logo; None when nothing is."""
    try:
        raw = path.read_bytes()
    except OSError:
        return "there is no such file"
    if len(raw) > LARGEST:
        return "is larger than 64 KB"
    return None if _kind(raw) else "is no SVG, PNG, JPEG or WebP"


@cache
def data_url(path: Path) -> str:
    """The logo as a page can show it without loading it; read once."""
    raw = path.read_bytes()
    return f"data:{_kind(raw)};base64,{base64.b64encode(raw).decode()}"


def _kind(raw: bytes) -> str | None:
    """Known by its first bytes: a name says nothing about a file."""
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    if b"<svg" in raw[:1000]:
        return "image/svg+xml"
    return next((kind for start, kind in _BEGINNINGS if raw.startswith(start)), None)
