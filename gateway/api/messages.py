"""Messages of the marketing automation, one by one: queue, look, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import Field

from consent.model import Refused
from delivery.attempts import Attempt
from delivery.outbox import Message, Status
from delivery.permits import Permit
from delivery.schedule import LIFE
from gateway.api.contents import Content, Warnings, said_by, warnings_of
from gateway.api.targets import ADA, GroundView, Target, question, require_covered
from gateway.callers import idempotency
from gateway.callers.api_keys import ApiKey, Scope
from gateway.callers.idempotency import Clash
from gateway.errors import Conflict, Invalid, NotFound, PermissionRefused, WrongContentType
from gateway.flows.sending import enqueue, messages
from gateway.flows.sending.accepted import Queued, Told
from gateway.flows.sending.enqueue import Cancellation, Done, Handed, Wanted
from gateway.http import repeats
from gateway.http.answers import answer
from gateway.http.app_keys import MESSAGES, PARTS, READING
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import Label, Moment, Name
from gateway.http.models import Answer, Incoming, Omissible
from gateway.http.parsing import parse_json, read_bytes
from gateway.http.values import MOST_OF_ONE
from gateway.parts import Parts
from gateway.watch.metrics import METRICS

_TAGS = ("senders",)
_NO_MESSAGE: Final = "message of this id that this API key handed in"
_LARGEST_BODY = 16 * 1024 * 1024  # of mails inline; whoever sends so much has shown a key
_PATIENCE = 120.0
_PAUSED: Final = "campaign_paused"
_AHEAD = timedelta(days=366)  # later is a mistake, and what waits is kept
EXAMPLE: Final[dict[str, Any]] = {
    "to": ADA,
    "purpose": "newsletter",
    "content": {"template": "welcome", "data": {"first_name": "Ada"}},
    "reference": "welcome-1",
}


class MessageRequest(Incoming):
    to: Target
    purpose: Name
    content: Content
    send_at: Moment | None = None
    expires_at: Moment | None = None
    reference: Label | None = None


class MessageAccepted(Answer):
    message_id: str
    status: Literal["queued"] = "queued"
    warnings: Warnings
    # The time that was asked for was over: it is sent at once.
    send_at_passed: bool = Field(default=False, exclude_if=lambda passed: not passed)


class PermitView(Answer):
    ground: GroundView
    decided_at: datetime


class AttemptView(Answer):
    n: int
    started_at: datetime
    ended_at: datetime | None
    code: int | None
    outcome: str | None


class MessageStatus(StrEnum):
    """Where a message stands, as callers are told."""

    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


class MessageSummary(Answer):
    """One of many; `GET /v1/messages/{id}` has its permit and attempts."""

    message_id: str
    status: MessageStatus
    reason: Omissible = None
    purpose: str
    reference: Omissible = None
    created_at: datetime
    send_at: datetime | None


class MessageView(MessageSummary):
    """What became of one."""

    permit: PermitView | None = None
    attempts: list[AttemptView] = Field(default=[])
    message_id_header: Omissible = None


@endpoint(
    "POST",
    "/v1/messages",
    summary="Queue a message, or be told why not",
    request=MessageRequest,
    responses={202: MessageAccepted},
    example=EXAMPLE,
    scope=Scope.MESSAGES_SEND,
    idempotent=True,
    tags=_TAGS,
)
async def post_message(request: web.Request) -> web.StreamResponse:
    body = await read_body(request)
    # Aside: reading and rendering in the loop would let one caller's message slow down everybody.
    asked = partial(_asked, request, body)
    ((wanted, name),) = await request.app[READING].each(len(body), [asked])
    taken = await request.app[MESSAGES](Handed([wanted], name))
    if isinstance(taken, Clash):
        raise repeats.refusal(taken)
    count(request, [wanted], taken)
    match taken.outcomes:
        case [Queued() as queued]:
            accepted = MessageAccepted(
                message_id=queued.message,
                send_at_passed=queued.send_at_passed,
                warnings=warnings_of(wanted.blemishes),
            )
            return answer(accepted, 202)
        case [Refused() as refused]:
            raise PermissionRefused(refused.reason, refused.refusal_class)
        case _:
            raise AssertionError("not one outcome of one message")


@endpoint(
    "GET",
    "/v1/messages/{id:msg_[a-z0-9]{1,36}}",
    summary="What became of a message",
    responses={200: MessageView},
    scope=Scope.MESSAGES_SEND,
    tags=_TAGS,
)
async def get_message(request: web.Request) -> web.StreamResponse:
    parts, wanted = request.app[PARTS], request.match_info["id"]
    seen = await messages.look(parts.data, parts.keystore, wanted, request[CALLER].id)
    if seen is None:
        raise NotFound(_NO_MESSAGE)
    header = seen.message_id_header
    return answer(
        MessageView(
            **summary_of(seen.message, seen.reference),
            permit=seen.permit and _permit_view(seen.permit),
            attempts=[_attempt_view(attempt) for attempt in seen.attempts],
            message_id_header=None if header is None else f"<{header}>",
        )
    )


def summary_of(message: Message, reference: str | None) -> dict[str, Any]:
    """The fields of a `MessageSummary`."""
    paused = message.status is Status.PAUSED
    return {
        "message_id": message.id,
        "status": status_of(message.status),
        "reason": _PAUSED if paused else message.reason,
        "purpose": message.purpose,
        "reference": reference,
        "created_at": message.created_at,
        "send_at": message.send_at,
    }


def status_of(status: Status) -> MessageStatus:
    """In the words of the API: one that stands still with its campaign is put off."""
    deferred = status is Status.PAUSED
    return MessageStatus.DEFERRED if deferred else MessageStatus(status.value)


def _permit_view(permit: Permit) -> PermitView:
    ground = GroundView(kind=permit.ground_kind, id=permit.ground_id)
    return PermitView(ground=ground, decided_at=permit.decided_at)


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        n=attempt.n,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        code=attempt.code,
        outcome=attempt.outcome,
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
    parts, wanted = request.app[PARTS], request.match_info["id"]
    caller = request[CALLER].id
    cancelled = await enqueue.cancel(
        parts.data, parts.keystore, parts.clock, parts.log, wanted, caller
    )
    if cancelled is Cancellation.UNKNOWN:
        raise NotFound(_NO_MESSAGE)
    if cancelled is Cancellation.TOO_LATE:
        raise Conflict
    return web.Response(status=204)


def _asked(request: web.Request, body: bytes) -> tuple[Wanted, idempotency.Name | None]:
    said = parse_json(body, MessageRequest, most=MOST_OF_ONE)
    wanted = wanted_of(request.app[PARTS], request[CALLER], said)
    return wanted, repeats.name_of(request, body, status=202)


async def read_body(request: web.Request) -> bytes:
    """The bytes: a request may be repeated under what they say."""
    if request.content_type != "application/json":
        raise WrongContentType
    return await read_bytes(request, most=_LARGEST_BODY, patience=_PATIENCE)


def wanted_of(parts: Parts, caller: ApiKey, message: MessageRequest) -> Wanted:
    """What a caller asks for, if its key covers it and the template can be rendered."""
    require_covered(parts.config, caller, message.purpose)
    said = said_by(parts.config, parts.templates, message.purpose, message.content)
    _require_near(message, parts.clock.wall())
    return Wanted(
        to=question(message.to, message.purpose),
        content=said.content,
        origin=caller.id,
        send_at=message.send_at,
        expires_at=message.expires_at,
        reference=message.reference,
        kept=said.kept,
        blemishes=said.blemishes,
        found_by=None if message.reference is None else caller.found_by(message.reference),
    )


def _require_near(message: MessageRequest, now: datetime) -> None:
    latest = now + _AHEAD
    if message.send_at and message.send_at > latest:
        raise Invalid.at("/send_at", "must be within a year")
    if message.expires_at and message.expires_at > latest + LIFE:
        raise Invalid.at("/expires_at", "must be within a year")
    if message.expires_at and message.send_at and message.expires_at <= message.send_at:
        raise Invalid.at("/expires_at", "must be after send_at")


def count(request: web.Request, messages: Sequence[Wanted | Told], done: Done) -> None:
    """Count what became of messages; of a repetition nothing did."""
    if done.again:
        return
    metrics = request.app[METRICS]
    for message, outcome in zip(messages, done.outcomes, strict=True):
        if isinstance(message, Wanted) and isinstance(outcome, Queued):
            metrics.accepted.labels(message.to.purpose).inc()
        elif isinstance(outcome, Refused):
            metrics.refusals.labels(outcome.reason).inc()
