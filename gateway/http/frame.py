"""What every request passes before its handler, and what every answer carries."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import NotFound, WrongContentType
from gateway.http import problems

# For answers that are no pages; those bring a policy of their own.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "interest-cohort=(), browsing-topics=()",
}
_YEAR = "max-age=31536000"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no endpoint of ours can mean.

    A control character in a path names nothing, and PostgreSQL takes no NUL in
    a text. A compressed body could unpack to anything, and nobody needs one.
    """
    if any(unicodedata.category(c) in ("Cc", "Cs") for v in request.match_info.values() for c in v):
        raise NotFound
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise WrongContentType
    return await handler(request)


def protect(public_url: str) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The signal that gives every answer its headers, those of errors and redirects too."""
    headers = dict(_HEADERS)
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = _YEAR

    async def prepare(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.pop("Server", None)  # which versions run here is nobody's business

    return prepare


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Tell a caller that waits to go on; aiohttp's own answer to other expectations quotes them."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return problems.answer(problems.of_status(417))
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None
