"""Rights requests (GDPR Arts 15-21): written down with their due date, listed, decided.

Nothing is done to anybody by them; what carries one out has an endpoint of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from consent.rights import Progress, Refusal, Right, RightsRequest, Step
from gateway.api import tries
from gateway.api.targets import ADA, Target
from gateway.callers.api_keys import Scope
from gateway.callers.idempotency import Clash
from gateway.errors import (
    AnsweredByErasure,
    NotFound,
    RequestDecided,
    RequestError,
    TooLateToExtend,
)
from gateway.flows.by import By
from gateway.flows.rights.requests import Asked
from gateway.flows.sending.permission import Question
from gateway.http import reasons, repeats
from gateway.http.answers import answer
from gateway.http.app_keys import RIGHTS_REQUESTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import Channel, Decision, Moment
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import read_json, read_query
from storage import patterns

_TAGS = ("data protection officer",)
_PATH: Final = "/v1/rights-requests"
_ONE: Final = _PATH + "/{id:req_[0-9a-v]{26}}"
_NO_REQUEST: Final = "rights request of this id"
EXAMPLE: Final[dict[str, Any]] = {**ADA, "kind": "access", "channel": "letter"}
_REASON: Final[dict[str, Any]] = {"reason": "The copy was handed over on paper."}
_REFUSALS: Mapping[Refusal, type[RequestError]] = {
    Refusal.DECIDED: RequestDecided,
    Refusal.TOO_LATE: TooLateToExtend,
    Refusal.BY_ERASURE: AnsweredByErasure,
}


class RightsRequestRequest(Target):
    kind: Annotated[Right, Field(strict=False)]  # a word, also where no JSON is read
    channel: Channel = "api"
    received_at: Moment | None = None


class DecisionRequest(Incoming):
    """Why it is so decided, as the person is told; sealed under their key."""

    reason: Decision


class RightsRequestQuery(BaseModel):
    """The query string of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Progress | None = None
    after: Annotated[str, StringConstraints(pattern=patterns.REQUEST)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Recorded(Answer):
    request_id: str
    due_at: datetime


class RightsRequestView(Answer):
    """Facts, no contents; who it is about by a random id."""

    request_id: str
    subject_id: str
    kind: Right
    state: Progress
    channel: str
    received_at: datetime
    recorded_at: datetime
    due_at: datetime
    decided_at: datetime | None = None
    reason: str | None = None


class RightsRequestList(Answer):
    requests: list[RightsRequestView]
    next: str | None = None


@endpoint(
    "POST",
    _PATH,
    summary="Write down what a person asks for by right, and by when it is due; nothing is done",
    request=RightsRequestRequest,
    responses={201: Recorded},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
    idempotent=True,
)
async def post_request(request: web.Request) -> web.StreamResponse:
    said, name = await repeats.read_named(request, RightsRequestRequest, status=201)
    require_unbound(request)
    tries.require_a_turn(request)
    question = Question("", said.email, said.subject_id)
    asked = Asked(question, said.kind, said.channel, By(request[CALLER].id), said.received_at)
    recorded = await request.app[RIGHTS_REQUESTS].record(asked, name)
    if recorded is None:
        raise await tries.nobody(request)
    if isinstance(recorded, Clash):
        raise repeats.refusal(recorded)
    return answer(Recorded(request_id=recorded.id, due_at=recorded.due_at), 201)


@endpoint(
    "GET",
    _PATH,
    summary="Rights requests in the order in which they were written down",
    query=RightsRequestQuery,
    responses={200: RightsRequestList},
    scope=Scope.SUBJECTS_READ,
    tags=_TAGS,
)
async def get_requests(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    query = read_query(request, RightsRequestQuery)
    requests = request.app[RIGHTS_REQUESTS]
    found, further = await requests.page(query.state, query.after, query.limit)
    return answer(RightsRequestList(requests=[_view(one) for one in found], next=further))


@endpoint(
    "GET",
    _ONE,
    summary="One rights request; with Access-Reason also the reason of its decision",
    responses={200: RightsRequestView},
    headers=(reasons.OPTIONAL,),
    scope=Scope.SUBJECTS_READ,
    tags=_TAGS,
)
async def get_request(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    why, requests = reasons.said_of(request), request.app[RIGHTS_REQUESTS]
    found = await requests.get(request.match_info["id"])
    if found is None:
        raise NotFound(_NO_REQUEST)
    if why is None or found.reason is None:
        return answer(_view(found))
    return answer(_view(found, await requests.open_reason(found, why, request[CALLER].id)))


@endpoint(
    "POST",
    _ONE + "/answer",
    summary="Say that it was answered",
    request=DecisionRequest,
    responses={200: RightsRequestView},
    example=_REASON,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def post_answer(request: web.Request) -> web.StreamResponse:
    return await _decide(request, Step.ANSWER)


@endpoint(
    "POST",
    _ONE + "/extend",
    summary="Take two further months, as the person was told with the reason; in the first only",
    request=DecisionRequest,
    responses={200: RightsRequestView},
    example=_REASON,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def post_extend(request: web.Request) -> web.StreamResponse:
    return await _decide(request, Step.EXTEND)


@endpoint(
    "POST",
    _ONE + "/refuse",
    summary="Say that it was refused, as the person was told with the reason (Art. 12(4) GDPR)",
    request=DecisionRequest,
    responses={200: RightsRequestView},
    example=_REASON,
    scope=Scope.SUBJECTS_MANAGE,
    tags=_TAGS,
)
async def post_refuse(request: web.Request) -> web.StreamResponse:
    return await _decide(request, Step.REFUSE)


ROWS = (post_request, get_requests, get_request, post_answer, post_extend, post_refuse)


async def _decide(request: web.Request, step: Step) -> web.StreamResponse:
    said = await read_json(request, DecisionRequest)
    require_unbound(request)
    about, by = request.match_info["id"], By(request[CALLER].id)
    became = await request.app[RIGHTS_REQUESTS].decide(about, step, said.reason, by)
    if became is None:
        raise NotFound(_NO_REQUEST)
    if isinstance(became, Refusal):
        raise _REFUSALS[became]
    return answer(_view(became))


def _view(one: RightsRequest, reason: str | None = None) -> RightsRequestView:
    return RightsRequestView(
        request_id=one.id,
        subject_id=one.subject,
        kind=one.right,
        state=one.progress,
        channel=one.channel,
        received_at=one.received_at,
        recorded_at=one.recorded_at,
        due_at=one.due_at,
        decided_at=one.decided_at,
        reason=reason,
    )
