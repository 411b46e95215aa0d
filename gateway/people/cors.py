"""Which origins may use a form from a script (the Fetch standard, "CORS protocol")."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.config.config import Form
from gateway.http.app_keys import PARTS

_DAY = "86400"


def allow(request: web.Request, form: Form, response: web.StreamResponse) -> web.StreamResponse:
    """Let a page of a named origin read this answer; every other one's browser withholds it."""
    origin = request.headers.get("Origin")
    response.headers.add("Vary", "Origin")
    if origin is not None and origin in form.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.setdefault("Access-Control-Expose-Headers", "Retry-After")
    return response


def preflight(request: web.Request, form: Form) -> web.Response:
    """What a named origin may send; nothing for any other."""
    response = web.Response(status=204)
    allow(request, form, response)
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        response.headers["Access-Control-Max-Age"] = _DAY
    return response


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors of a form must be readable to its landing page too, or they look like CORS riddles."""
    response = await handler(request)
    form = request.app[PARTS].config.forms.get(request.match_info.get("form", ""))
    if form is not None and "Vary" not in response.headers:
        allow(request, form, response)
    return response
