"""Many messages in one request, each checked and answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field, JsonValue

from consent.model import Reason, RefusalClass, Refused
from gateway.api import messages
from gateway.api.messages import (
    MessageAccepted,
    MessageRequest,
    count,
    name_of,
    read_body,
    wanted_of,
)
from gateway.callers import idempotency
from gateway.callers.api_keys import ApiKey, Scope
from gateway.callers.idempotency import Remembered, Ticket
from gateway.errors import Invalid, OutsideKey
from gateway.flows.sending import enqueue
from gateway.flows.sending.enqueue import Queued, Wanted
from gateway.http.answers import answer_bytes
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER
from gateway.http.models import Answer, Incoming
from gateway.http.openapi import endpoint
from gateway.http.parsing import parse_json, parse_value
from gateway.parts import Parts

Outcomes = Sequence[Queued | Refused]
EXAMPLE: Final[dict[str, Any]] = {
    "messages": [
        messages.EXAMPLE,
        {
            "to": {"email": "grace@example.org"},
            "purpose": "newsletter",
            "content": {"subject": "News", "text": "Hello.", "html": "<p>Hello.</p>"},
            "send_at": "2027-01-04T08:00:00Z",
        },
    ]
}


class BatchRequest(Incoming):
    """Each message is checked alone, so that a wrong one does not stop the others."""

    messages: Annotated[list[dict[str, JsonValue]], Field(min_length=1, max_length=1000)]


class FieldProblem(Answer):
    pointer: str
    detail: str


class BatchQueued(MessageAccepted):
    pass


class BatchRefused(Answer):
    status: Literal["refused"] = "refused"
    reason: Reason
    refusal_class: RefusalClass = Field(alias="class")


class BatchInvalid(Answer):
    status: Literal["invalid"] = "invalid"
    errors: list[FieldProblem]


BatchResult = Annotated[BatchQueued | BatchRefused | BatchInvalid, Field(discriminator="status")]


class BatchAnswer(Answer):
    results: list[BatchResult]


@endpoint(
    "POST",
    "/v1/messages/batch",
    summary="Queue up to 1000 messages; each is answered alone, in order",
    request=BatchRequest,
    responses={200: BatchAnswer},
    example=EXAMPLE,
    scope=Scope.MESSAGES_SEND,
    idempotent=True,
    tags=("senders",),
)
async def post_batch(request: web.Request) -> web.StreamResponse:
    body = await read_body(request)
    batch = parse_json(body, BatchRequest)
    checked = await asyncio.to_thread(_check_all, request.app[PARTS], request[CALLER], batch)
    wanted = [one for one in checked if isinstance(one, Wanted)]

    def answered(outcomes: Outcomes) -> bytes:
        left = iter(outcomes)
        results = [one if isinstance(one, BatchInvalid) else _result(next(left)) for one in checked]
        return BatchAnswer(results=results).model_dump_json(by_alias=True).encode()

    named = name_of(request, body)
    if named is None:
        return answer_bytes(await _enqueue(request, wanted, None, answered))
    parts = request.app[PARTS]
    async with idempotency.once(parts.data, parts.clock, named) as outcome:
        if isinstance(outcome, Remembered):
            return answer_bytes(outcome.answer, outcome.status)
        return answer_bytes(await _enqueue(request, wanted, outcome, answered))


def _check_all(parts: Parts, caller: ApiKey, batch: BatchRequest) -> list[Wanted | BatchInvalid]:
    return [_try_wanted(parts, caller, one) for one in batch.messages]


def _try_wanted(parts: Parts, caller: ApiKey, raw: dict[str, Any]) -> Wanted | BatchInvalid:
    try:
        return wanted_of(parts, caller, parse_value(raw, MessageRequest))
    except Invalid as error:
        problems = [FieldProblem(pointer=e.pointer, detail=e.detail) for e in error.errors]
    except OutsideKey:
        problems = [FieldProblem(pointer="/purpose", detail="is outside the API key")]
    return BatchInvalid(errors=problems)


def _result(outcome: Queued | Refused) -> BatchResult:
    if isinstance(outcome, Queued):
        return BatchQueued(message_id=outcome.message)
    return BatchRefused(reason=outcome.reason, refusal_class=outcome.refusal_class)


async def _enqueue(
    request: web.Request,
    wanted: Sequence[Wanted],
    ticket: Ticket | None,
    answered: Callable[[Outcomes], bytes],
) -> bytes:
    """Queue a batch, count what became of it, and return its answer."""
    outcomes, body = await enqueue.accept_batch(request.app[PARTS], wanted, ticket, answered)
    count(request, wanted, outcomes)
    return body
