"""Asking a witness for its word: C2SP tlog-witness, `POST ‹url›/add-checkpoint`.

It is somebody else's server, and is not trusted: it gets ten seconds, redirects lead nowhere,
and of what it answers a few kilobytes are read.
"""

from __future__ import annotations

from typing import NamedTuple

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=10, connect=5)
_LONGEST = 1 << 16


class Answer(NamedTuple):
    """What came back; nobody there is status 0."""

    status: int
    kind: str
    text: str


async def add_checkpoint(url: str, question: str) -> Answer:
    """Give a witness a checkpoint with the proof that it continues the one before."""
    headers = {"User-Agent": "consent-gateway", "Content-Type": "text/plain; charset=utf-8"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE, auto_decompress=False) as session,
            session.post(
                f"{url.rstrip('/')}/add-checkpoint",
                data=question.encode(),
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            raw = await _beginning(answer)
            return Answer(answer.status, answer.content_type, raw.decode(errors="replace"))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return Answer(0, "", "")


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """As much of the body as is read; one reading alone may have half a line."""
    raw = b""
    while len(raw) < _LONGEST and (piece := await answer.content.read(_LONGEST - len(raw))):
        raw += piece
    return raw
