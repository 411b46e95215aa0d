"""Messages of the marketing automation: queue, look, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from consent.model import Refused
from delivery.plain_text import plain_text
from delivery.schedule import LIFE
from gateway.api.targets import question, require_covered
from gateway.callers import idempotency
from gateway.callers.api_keys import CALLER, ApiKey, Scope
from gateway.callers.idempotency import Remembered, Ticket
from gateway.errors import (
    Conflict,
    Invalid,
    NotFound,
    OutsideKey,
    PermissionRefused,
    WrongContentType,
)
from gateway.flows.sending import enqueue, messages
from gateway.flows.sending.enqueue import Cancellation, Handed, Queued, Wanted
from gateway.http import examples
from gateway.http.answers import answer, answer_bytes
from gateway.http.app_keys import MESSAGES, PARTS
from gateway.http.models import (
    AttemptView,
    BatchAnswer,
    BatchInvalid,
    BatchQueued,
    BatchRefused,
    BatchRequest,
    BatchResult,
    FieldProblem,
    GroundView,
    MessageAccepted,
    MessageRequest,
    MessageView,
    PermitView,
)
from gateway.http.openapi import endpoint
from gateway.http.parsing import parse_json, parse_value, read_bytes
from gateway.parts import Parts
from gateway.watch.metrics import METRICS

_TAGS = ("senders",)
_HEADER = "Idempotency-Key"
_LARGEST_BODY = 16 * 1024 * 1024  # of mails inline; whoever sends so much has shown a key
_PATIENCE = 120.0
_AHEAD = timedelta(days=366)  # later is a mistake, and what waits is kept

Outcomes = Sequence[Queued | Refused]


@endpoint(
    "POST",
    "/v1/messages",
    summary="Queue a message, or be told why not",
    request=MessageRequest,
    responses={202: MessageAccepted},
    example=examples.MESSAGE,
    scope=Scope.MESSAGES_SEND,
    idempotent=True,
    tags=_TAGS,
)
async def post_message(request: web.Request) -> web.StreamResponse:
    body = await _json_body(request)
    message = parse_json(body, MessageRequest)
    # Rendering in the loop would let one caller's template slow down everybody.
    wanted = await asyncio.to_thread(_wanted, request.app[PARTS], request[CALLER], message)

    outcome = await request.app[MESSAGES](Handed(wanted, _named(request, body)))
    if isinstance(outcome, Remembered):
        return answer_bytes(outcome.answer, outcome.status)
    _count(request, [wanted], [outcome])
    if isinstance(outcome, Refused):
        raise PermissionRefused(outcome.reason, outcome.refusal_class)
    return answer_bytes(say(outcome) or b"", 202)


def say(outcome: Queued | Refused) -> bytes | None:
    """The answer that is remembered; a refusal is not, for permission may come."""
    if isinstance(outcome, Refused):
        return None
    return MessageAccepted(message_id=outcome.message).model_dump_json().encode()


@endpoint(
    "POST",
    "/v1/messages/batch",
    summary="Queue up to 1000 messages; each is answered alone, in order",
    request=BatchRequest,
    responses={200: BatchAnswer},
    example=examples.BATCH,
    scope=Scope.MESSAGES_SEND,
    idempotent=True,
    tags=_TAGS,
)
async def post_batch(request: web.Request) -> web.StreamResponse:
    body = await _json_body(request)
    batch = parse_json(body, BatchRequest)
    checked = await asyncio.to_thread(_check_all, request.app[PARTS], request[CALLER], batch)
    wanted = [one for one in checked if isinstance(one, Wanted)]

    def answered(outcomes: Outcomes) -> bytes:
        left = iter(outcomes)
        results = [one if isinstance(one, BatchInvalid) else _result(next(left)) for one in checked]
        return BatchAnswer(results=results).model_dump_json(by_alias=True).encode()

    named = _named(request, body)
    if named is None:
        return answer_bytes(await _enqueue(request, wanted, None, answered))
    parts = request.app[PARTS]
    async with idempotency.once(parts.data, parts.clock, named) as outcome:
        if isinstance(outcome, Remembered):
            return answer_bytes(outcome.answer, outcome.status)
        return answer_bytes(await _enqueue(request, wanted, outcome, answered))


@endpoint(
    "GET",
    "/v1/messages/{id:msg_[a-z0-9]{1,36}}",
    summary="What became of a message",
    responses={200: MessageView},
    scope=Scope.MESSAGES_SEND,
    tags=_TAGS,
)
async def get_message(request: web.Request) -> web.StreamResponse:
    seen = await messages.look(request.app[PARTS], request.match_info["id"], request[CALLER].id)
    if seen is None:
        raise NotFound
    permit = seen.permit
    return answer(
        MessageView(
            message_id=seen.message.id,
            status=seen.message.status,
            reason=seen.message.reason,
            permit=permit
            and PermitView(
                ground=GroundView(kind=permit.ground_kind, id=permit.ground_id),
                decided_at=permit.decided_at,
            ),
            attempts=[
                AttemptView(
                    n=one.n,
                    started_at=one.started_at,
                    ended_at=one.ended_at,
                    code=one.code,
                    outcome=one.outcome,
                )
                for one in seen.attempts
            ],
            message_id_header=f"<{seen.message_id_header}>",
        )
    )


@endpoint(
    "DELETE",
    "/v1/messages/{id:msg_[a-z0-9]{1,36}}",
    summary="Cancel a message that is still queued",
    responses={204: None},
    scope=Scope.MESSAGES_SEND,
    tags=_TAGS,
)
async def delete_message(request: web.Request) -> web.StreamResponse:
    cancelled = await enqueue.cancel(
        request.app[PARTS], request.match_info["id"], request[CALLER].id
    )
    if cancelled is Cancellation.UNKNOWN:
        raise NotFound
    if cancelled is Cancellation.TOO_LATE:
        raise Conflict
    return web.Response(status=204)


async def _json_body(request: web.Request) -> bytes:
    """The bytes: they are fingerprinted as they came."""
    if request.content_type != "application/json":
        raise WrongContentType
    return await read_bytes(request, most=_LARGEST_BODY, patience=_PATIENCE)


def _wanted(parts: Parts, caller: ApiKey, message: MessageRequest) -> Wanted:
    """What a caller asks for, if its key covers it and the template can be rendered."""
    require_covered(parts.config, caller, message.purpose)
    said = message.content.model_dump(exclude_unset=True)
    content: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if "template" in content:
        content.setdefault("data", {})
    elif "text" not in content:
        content["text"] = plain_text(content["html"])  # not once a permit runs
    enqueue.check_content(parts, message.purpose, content)
    _require_near(parts, message)
    return Wanted(
        to=question(message.to, message.purpose),
        content=content,
        origin=caller.id,
        send_at=message.send_at,
        expires_at=message.expires_at,
        reference=message.reference,
    )


def _require_near(parts: Parts, message: MessageRequest) -> None:
    latest = parts.clock.wall() + _AHEAD
    if message.send_at and message.send_at > latest:
        raise Invalid.at("/send_at", "must be within a year")
    if message.expires_at and message.expires_at > latest + LIFE:
        raise Invalid.at("/expires_at", "must be within a year")
    if message.expires_at and message.send_at and message.expires_at <= message.send_at:
        raise Invalid.at("/expires_at", "must be after send_at")


def _check_all(parts: Parts, caller: ApiKey, batch: BatchRequest) -> list[Wanted | BatchInvalid]:
    return [_try_wanted(parts, caller, one) for one in batch.messages]


def _try_wanted(parts: Parts, caller: ApiKey, raw: dict[str, Any]) -> Wanted | BatchInvalid:
    try:
        return _wanted(parts, caller, parse_value(raw, MessageRequest))
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
    _count(request, wanted, outcomes)
    return body


def _count(request: web.Request, wanted: Sequence[Wanted], outcomes: Outcomes) -> None:
    metrics = request.app[METRICS]
    for one, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, Queued):
            metrics.accepted.labels(one.to.purpose).inc()
        else:
            metrics.refusals.labels(outcome.reason).inc()


def _named(request: web.Request, body: bytes) -> idempotency.Request | None:
    """The name under which this request may be repeated, where its caller gave one."""
    header = request.headers.get(_HEADER)
    if header is None:
        return None
    return idempotency.identify(
        request.app[PARTS].keyring.fingerprint,
        api_key=request[CALLER].id,
        endpoint=f"{request.method} {request.path}",
        header=header,
        body=body,
    )
