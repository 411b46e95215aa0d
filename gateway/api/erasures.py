"""Erasure (Art. 17 GDPR) for whoever passes on what a person asked for."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from gateway.api import tries
from gateway.api.targets import ADA, Target
from gateway.callers.api_keys import Scope
from gateway.callers.idempotency import Clash
from gateway.errors import NotFound
from gateway.flows.by import By
from gateway.flows.proving import certificate
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.telling import receivers_of
from gateway.flows.sending.permission import Question
from gateway.http import certificate_paper, pages, repeats
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.certificate_paper import CertificateQuery
from gateway.http.certificates import ErasureView, view
from gateway.http.endpoints import Media, endpoint
from gateway.http.fields import Channel, Moment
from gateway.http.typesetter import PDF

_TAGS = ("data protection officer",)
EXAMPLE: Final[dict[str, Any]] = {**ADA, "channel": "letter"}


class ErasureRequest(Target):
    channel: Channel = "api"
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
    idempotent=True,
)
async def post_erasure(request: web.Request) -> web.StreamResponse:
    said, name = await repeats.read_named(request, ErasureRequest, status=202)
    require_unbound(request)
    question, by = Question("", said.email, said.subject_id), By(request[CALLER].id)
    asked = Request(question, Actor.API, said.channel, said.received_at, by)
    erasures = Erasures(Erasing(request.app[PARTS]))
    begun = await (erasures.erase_once(asked, name) if name else erasures.erase(asked))
    if isinstance(begun, Clash):
        raise repeats.refusal(begun)
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
    told, stores = receivers_of(parts.config), (parts.data, parts.keystore)
    about = request.match_info["id"]
    found = await certificate.look_up(*stores, parts.rows, parts.log, about, told)
    if found is None:
        raise NotFound("erasure of this id")
    if certificate_paper.wants_pdf(request):
        shown = view(*found, parts.config, pages.locale_of(request))
        return await certificate_paper.answer_pdf(request, shown)
    return answer(view(*found, parts.config))
