"""Erasure (Art. 17 GDPR) for whoever passes on what a person asked for."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from gateway.api import tries
from gateway.api.targets import ADA, Target
from gateway.callers.api_keys import Scope
from gateway.errors import NotFound
from gateway.flows.proving import certificate
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.http import certificate_paper, pages
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import require_unbound
from gateway.http.certificate_paper import CertificateQuery
from gateway.http.certificates import ErasureView, view
from gateway.http.endpoints import Media, endpoint
from gateway.http.fields import Moment, Name
from gateway.http.parsing import read_json
from gateway.http.typesetter import PDF

_TAGS = ("data protection officer",)
EXAMPLE: Final[dict[str, Any]] = {**ADA, "channel": "letter"}


class ErasureRequest(Target):
    channel: Name = "api"
    received_at: Moment | None = None


@endpoint(
    "POST",
    "/v1/erasures",
    summary="Forget a person; answered when no mail to them can start any more",
    request=ErasureRequest,
    responses={202: ErasureView},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def post_erasure(request: web.Request) -> web.StreamResponse:
    said = await read_json(request, ErasureRequest)
    require_unbound(request)
    asked = Request(
        Question("", said.email, said.subject_id), Actor.API, said.channel, said.received_at
    )
    begun = await Erasures(Erasing(request.app[PARTS])).erase(asked)
    if begun is None:
        said_so = "person known by that; what was asked for by that address has ended"
        raise await tries.nobody(request, said_so)
    return answer(view(begun, None, request.app[PARTS].config), 202)


@endpoint(
    "GET",
    "/v1/erasures/{id:era_[0-9a-v]{26}}",
    summary="How far an erasure has come; once it is done, what it destroyed",
    responses={200: (ErasureView, Media(PDF))},
    query=CertificateQuery,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def get_erasure(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    parts = request.app[PARTS]
    found = await certificate.look_up(
        parts.data, parts.keystore, parts.rows, parts.log, request.match_info["id"]
    )
    if found is None:
        raise NotFound("erasure of this id")
    if certificate_paper.wants_pdf(request):
        shown = view(*found, parts.config, pages.locale_of(request))
        return await certificate_paper.answer_pdf(request, shown)
    return answer(view(*found, parts.config))
