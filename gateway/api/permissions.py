"""Asking for a permission, and passing on withdrawals that did not come by link."""

from __future__ import annotations

from aiohttp import web

from audit.kinds import Actor
from consent.model import Granted
from gateway.api.targets import question, require_covered
from gateway.callers.api_keys import CALLER, Scope
from gateway.errors import Invalid, OutsideKey
from gateway.flows.leaving.withdraw import Withdrawal
from gateway.flows.sending import permission
from gateway.http import examples
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, WITHDRAWALS
from gateway.http.models import (
    GroundView,
    PermissionGranted,
    PermissionRefusal,
    PermissionRequest,
    WithdrawalAnswer,
    WithdrawalRequest,
)
from gateway.http.openapi import endpoint
from gateway.http.parsing import read_json

_TAGS = ("senders",)


@endpoint(
    "POST",
    "/v1/permissions",
    summary="May this purpose be mailed to this person now?",
    request=PermissionRequest,
    responses={200: PermissionGranted | PermissionRefusal},
    example=examples.PERMISSION,
    scope=Scope.PERMISSIONS_READ,
    tags=_TAGS,
)
async def post_permission(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    asked = await read_json(request, PermissionRequest)
    require_covered(parts.config, request[CALLER], asked.purpose)
    decision = await permission.ask(parts, question(asked.to, asked.purpose))
    if isinstance(decision, Granted):
        ground = GroundView(kind=decision.ground.kind, id=decision.ground.id)
        return answer(PermissionGranted(ground=ground))
    return answer(PermissionRefusal(reason=decision.reason, refusal_class=decision.refusal_class))


@endpoint(
    "POST",
    "/v1/withdrawals",
    summary="Take permission away; answered when nothing for it can start any more",
    request=WithdrawalRequest,
    responses={200: WithdrawalAnswer},
    example=examples.WITHDRAWAL,
    scope=Scope.CONSENTS_WITHDRAW,
    tags=_TAGS,
)
async def post_withdrawal(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    said = await read_json(request, WithdrawalRequest)
    if said.purpose is None or said.kind == "object":
        _require_unbound(request)
    else:
        require_covered(parts.config, request[CALLER], said.purpose)
        if said.purpose not in parts.config.purposes:
            raise Invalid.at("/purpose", "is not a purpose of this gateway")
    facts = {
        "received_at": said.received_at.isoformat() if said.received_at else None,
        "reference": said.reference,
    }
    leave = Withdrawal(said.purpose, Actor.API, said.channel, said.kind == "object", facts)
    await request.app[WITHDRAWALS].withdraw(question(said.to, said.purpose or ""), leave)
    return answer(WithdrawalAnswer())


def _require_unbound(request: web.Request) -> None:
    """Only a key that is bound to nothing may speak for all purposes."""
    if request[CALLER].purposes or request[CALLER].senders:
        raise OutsideKey
