"""Asking whether somebody may be mailed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import Field

from consent.model import Granted, Reason, RefusalClass
from gateway.api.targets import ADA, GroundView, Target, question, require_covered
from gateway.callers.api_keys import Scope
from gateway.config.config import Limits
from gateway.errors import TooMany
from gateway.flows.sending.permission import Asked
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, PERMISSIONS, QUESTIONS
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import Name
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import read_json
from gateway.limits import Meter

EXAMPLE: Final[dict[str, Any]] = {"to": ADA, "purpose": "newsletter"}


class PermissionRequest(Incoming):
    to: Target
    purpose: Name


class PermissionGranted(Answer):
    """It may be mailed; when, is another question: what only delays a mail refuses nothing.

    So the answer is the same in a pause, for who wants few mails, and under a purpose's cap: a
    message that is handed in then waits `deferred`, and its status says for which of them.
    """

    granted: Literal[True] = True
    ground: GroundView


class PermissionRefusal(Answer):
    granted: Literal[False] = False
    reason: Reason
    refusal_class: RefusalClass = Field(alias="class")


@endpoint(
    "POST",
    "/v1/permissions",
    summary="May this purpose be mailed to this person now?",
    request=PermissionRequest,
    responses={200: PermissionGranted | PermissionRefusal},
    example=EXAMPLE,
    scope=Scope.PERMISSIONS_READ,
    tags=("senders",),
)
async def post_permission(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    require_turn(request, parts.config.limits, parts.clock.wall())
    asked = await read_json(request, PermissionRequest)
    require_covered(parts.config, request[CALLER], asked.purpose)
    about = question(asked.to, asked.purpose)
    decision = await request.app[PERMISSIONS](Asked(about, request[CALLER].id))
    if isinstance(decision, Granted):
        ground = GroundView(kind=decision.ground.kind, id=decision.ground.id)
        return answer(PermissionGranted(ground=ground))
    return answer(PermissionRefusal(reason=decision.reason, refusal_class=decision.refusal_class))


def require_turn(
    request: web.Request, limits: Limits, now: datetime, counted: web.AppKey[Meter] = QUESTIONS
) -> None:
    """A program that asks without end would fill the log, which keeps every question."""
    wait = request.app[counted].count(request[CALLER].id, now) if limits.enabled else None
    if wait is not None:
        raise TooMany(wait.how_long)
