"""Who asks for somebody by their address may be trying addresses: each is counted, and told."""

from __future__ import annotations

from aiohttp import web

from gateway.api.permissions import require_turn
from gateway.errors import NotFound
from gateway.flows.rights import looking
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER


def require_a_turn(request: web.Request) -> None:
    """Raise `TooMany` for a program that asks without end; it would fill the log."""
    parts = request.app[PARTS]
    require_turn(request, parts.config.limits, parts.clock.wall())


async def nobody(request: web.Request, why: str = "person known by that") -> NotFound:
    """The answer where nobody is known, once the log holds who asked."""
    parts = request.app[PARTS]
    await looking.in_vain(parts.data, parts.log, parts.clock, request[CALLER].id)
    return NotFound(why)
