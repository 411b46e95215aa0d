"""Everything held about a person (Art. 15 GDPR), for whoever answers for the data."""

from __future__ import annotations

from aiohttp import web

from gateway.api import tries
from gateway.callers.api_keys import Scope
from gateway.flows.rights import handing_out
from gateway.flows.rights.handing_out import HandingOut
from gateway.http import handed_out, pages, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import Media, endpoint
from gateway.http.handed_out import TYPES, Form
from gateway.http.reasons import reason_of


@endpoint(
    "GET",
    "/v1/subjects/{id:sub_[0-9a-v]{26}}/dossier",
    summary="Everything held about a person; told in their audit trail, with the reason",
    responses={200: Media("application/json")},
    scope=Scope.SUBJECTS_READ,
    says_why=True,
    tags=("data protection officer",),
)
async def get_dossier(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    tries.require_a_turn(request)
    why = reason_of(request)
    parts, typesetter = request.app[PARTS], request.app[TYPESETTER]
    write = handed_out.writer(Form.JSON, parts.config, pages.locale_of(request), typesetter)
    asked = handing_out.by_a_caller(request[CALLER].id, why)
    async with request.app[TURNS].place():
        async with request.app[TURNS].making:
            handed = HandingOut(parts, typesetter.aside)
            body = await handed.of(request.match_info["id"], asked, write)
        if body is None:
            raise await tries.nobody(request)
        headers = {"Content-Type": TYPES[Form.JSON], "Cache-Control": "no-store"}
        return await turns.hand_over(request, body, headers)
