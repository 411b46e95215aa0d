"""Holds: what keeps somebody's proof from being erased while a dispute lasts."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from gateway.callers.api_keys import Scope
from gateway.callers.idempotency import Clash
from gateway.errors import Invalid, NotFound
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.holds import Holds
from gateway.http import repeats
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import Identifier, Label, Moment
from gateway.http.models import Answer, Incoming

_TAGS = ("data protection officer",)
EXAMPLE: Final[dict[str, Any]] = {
    "subject_id": "sub_00000000000000000000000000",
    "reason": "the dispute with file number 17",
    "until": "2030-01-01T00:00:00Z",
}


class HoldRequest(Incoming):
    subject_id: Identifier
    reason: Label
    until: Moment


class HoldAnswer(Answer):
    hold_id: str


@endpoint(
    "POST",
    "/v1/holds",
    summary="Keep what proves a person's consents: an erasure waits until then, and restricts",
    request=HoldRequest,
    responses={201: HoldAnswer},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
    idempotent=True,
)
async def post_hold(request: web.Request) -> web.StreamResponse:
    said, name = await repeats.read_named(request, HoldRequest, status=201)
    require_unbound(request)
    parts = request.app[PARTS]
    if said.until <= parts.clock.wall():
        raise Invalid.at("/until", "must be ahead of now")
    said_so = (said.subject_id, said.reason, said.until, Actor.API)
    placed = await Holds(Erasing(parts)).place(*said_so, caller=request[CALLER].id, name=name)
    if placed is None:
        raise NotFound("person of this id")
    if isinstance(placed, Clash):
        raise repeats.refusal(placed)
    return answer(HoldAnswer(hold_id=placed), 201)


@endpoint(
    "DELETE",
    "/v1/holds/{id:hol_[0-9a-v]{26}}",
    summary="End a hold; an erasure that waited for it is carried out",
    responses={204: None},
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def delete_hold(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    holds = Holds(Erasing(request.app[PARTS]))
    if not await holds.lift(request.match_info["id"], Actor.API, request[CALLER].id):
        raise NotFound("hold of this id")
    return web.Response(status=204)
