"""What every request passes before its handler, and what every answer carries."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import NotFound
from gateway.http import problems

LINK: Final = "token"  # what the path of a link calls it
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
    a text. What follows the token of a link is cut off before anybody looks at it.
    """
    named = (value for name, value in request.match_info.items() if name != LINK)
    if any(unicodedata.category(c) in ("Cc", "Cs") for value in named for c in value):
        raise NotFound
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
