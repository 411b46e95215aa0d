"""What the operator's machines ask: alive, ready."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import HEALTH


async def healthz(_request: web.Request) -> web.StreamResponse:
    """The process lives and its loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.StreamResponse:
    """This process has its stores and, where it runs one, its worker."""
    lacking = await request.app[HEALTH].failing()
    headers = {"Retry-After": "5"} if lacking else {}
    body = {"status": "unready" if lacking else "ready", "lacking": lacking}
    return web.json_response(body, status=503 if lacking else 200, headers=headers)
