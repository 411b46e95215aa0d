"""The paths of the links in our mails, and the token in one as it was followed.

Mail programs, people and scanners add what stood behind a link, and encode it:
whoever wants to leave must be able to by whatever their program made of it.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from consent import tokens
from gateway.errors import NotFound
from gateway.http.frame import LINK

ANY: Final = f"{{{LINK}:[\\s\\S]+}}"  # slashes and line ends too
# Of a fresh link: longer than that of a mail's, and known by that.
FRESH: Final = f"{{{LINK}:[^A-Za-z0-9_-]*[A-Za-z0-9_-]{{43}}[\\s\\S]*}}"


def token_of(request: web.Request) -> str:
    """The token of the link that was followed, without what was copied along."""
    return tokens.cut_out(request.match_info[LINK])


def require_token(request: web.Request) -> str:
    """As `token_of`; raises `NotFound` for what can never have been a link of ours."""
    token = token_of(request)
    if tokens.hash_of(token) is None:
        raise NotFound
    return token
