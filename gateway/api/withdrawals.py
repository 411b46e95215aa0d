"""Withdrawals that did not come by link: a caller heard of them, and passes them on."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from aiohttp import web
from pydantic import model_validator

from audit.kinds import Actor
from gateway.api.targets import ADA, Target, question, require_covered
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid, OutsideKey
from gateway.flows.by import By
from gateway.flows.leaving.ending import Withdrawal
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, WITHDRAWALS, WORDINGS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import Channel, Label, Moment, Name
from gateway.http.models import SAID, Answer, Incoming, exactly_one, one_of
from gateway.http.parsing import read_json

EXAMPLE: Final[dict[str, Any]] = {
    "to": ADA,
    "purpose": "newsletter",
    "kind": "withdraw",
    "channel": "phone",
    "reference": "ticket-17",
}


class WithdrawalRequest(Incoming):
    model_config = one_of({"purpose": SAID}, {"all": {"const": True}})

    to: Target
    purpose: Name | None = None
    all: Literal[True] | None = None
    kind: Literal["withdraw", "object"]
    channel: Channel
    received_at: Moment | None = None
    reference: Label | None = None

    @model_validator(mode="after")
    def _scope(self) -> Self:
        exactly_one(self, "purpose", "all")
        return self


class WithdrawalAnswer(Answer):
    status: Literal["done"] = "done"


@endpoint(
    "POST",
    "/v1/withdrawals",
    summary="Take permission away; answered when nothing for it can start any more",
    request=WithdrawalRequest,
    responses={200: WithdrawalAnswer},
    example=EXAMPLE,
    scope=Scope.CONSENTS_WITHDRAW,
    tags=("senders",),
)
async def post_withdrawal(request: web.Request) -> web.StreamResponse:
    said = await read_json(request, WithdrawalRequest)
    if said.purpose is None or said.kind == "object":
        require_unbound(request)
    else:
        await _require_purpose(request, said.purpose)
    facts = {
        "received_at": said.received_at.isoformat() if said.received_at else None,
        "reference": said.reference,
    }
    objects, by = said.kind == "object", By(request[CALLER].id)
    leave = Withdrawal(said.purpose, Actor.API, said.channel, objects, facts, by)
    await request.app[WITHDRAWALS].withdraw(question(said.to, said.purpose or ""), leave)
    return answer(WithdrawalAnswer())


async def _require_purpose(request: web.Request, purpose: str) -> None:
    """One that left the configuration too: who agreed to it then can leave."""
    config, caller = request.app[PARTS].config, request[CALLER]
    require_covered(config, caller, purpose)
    if purpose in config.purposes:
        return
    if not await request.app[WORDINGS].was_asked(purpose):
        raise Invalid.at("/purpose", "is not a purpose of this gateway")
    if caller.senders and purpose not in caller.purposes:
        raise OutsideKey  # whose it was is not known any more
