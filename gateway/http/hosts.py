"""By which names what is for the operator may be asked for: a page elsewhere must not read it.

Whoever is on this machine's network and opens a page of a stranger's asks what
the page says, and a name of the stranger's may lead to this machine by then (DNS
rebinding). The browser says that name; no address, and no name that nobody
outside can give, is of that kind.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_PORT: Final = re.compile(r":\d{0,5}\Z", re.ASCII)
_PLAIN: Final = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)  # of a network of containers, or our own
# Names that no registry gives to anybody (RFC 6761, RFC 6762, RFC 8375, and ICANN for .internal).
_OF_NOBODY: Final = (".localhost", ".local", ".internal", ".home.arpa", ".svc.cluster.local")
_REFUSED: Final = (
    "Ask by an IP address, by localhost, by a name without a dot or by the one of the setting:"
    " a name that anybody may own could be a page's, in somebody's browser.\n"
)


def is_own(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names no name that a stranger can own; *names* are ours besides."""
    name = _PORT.sub("", host.strip().lower()).removesuffix(".")
    if name in names or _PLAIN.fullmatch(name) or name.endswith(_OF_NOBODY):
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def only_own(listen: str) -> Middleware:
    """Answer nobody who asks by a name that may be a stranger's: 421 (RFC 9110, 15.5.20)."""
    names = frozenset({listen.lower(), socket.gethostname().lower()})

    @web.middleware
    async def of_own(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Every browser says whom it asks; who says nothing is none.
        host = request.headers.get("Host", "")
        if host and not is_own(host, names):
            return web.Response(status=421, text=_REFUSED)
        return await handler(request)

    return of_own
