"""The script of a form: for every page that its origins name, and kept by caches for a while."""

from __future__ import annotations

import hashlib

from aiohttp import web
from aiohttp.typedefs import LooseHeaders

from gateway.http.app_keys import PARTS
from gateway.http.endpoints import Media, endpoint
from gateway.people import cors, embedding, forms

_HEADERS: LooseHeaders = {
    # Wordings are not in it: those are fetched each time.
    "Cache-Control": "public, max-age=300, stale-while-revalidate=86400",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


@endpoint(
    "GET",
    f"{forms.PATH}.js",
    summary="The form for a page of yours, as a script",
    responses={200: Media("text/javascript")},
    tags=("landing pages",),
)
async def script(request: web.Request) -> web.StreamResponse:
    """The script, or 304 where the browser has this very one."""
    config, form = request.app[PARTS].config, forms.named(request)
    body = embedding.script(config, form).encode()
    tag = hashlib.sha256(body).hexdigest()[:32]
    response = web.Response(headers=_HEADERS)
    response.headers.add("Vary", "Accept-Encoding")
    response.etag = tag
    cors.allow(request, config.forms[form], response)
    if any(tagged.value in (tag, "*") for tagged in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.body = body
    response.content_type, response.charset = "text/javascript", "utf-8"
    response.enable_compression()
    return response
