"""Many messages in one request, each checked and answered for itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field, JsonValue

from consent.model import Reason, RefusalClass, Refused
from gateway.api import messages
from gateway.api.contents import warnings_of
from gateway.api.messages import MessageAccepted, MessageRequest, count, read_body, wanted_of
from gateway.callers.api_keys import Scope
from gateway.callers.idempotency import Clash, Name
from gateway.errors import Invalid, OutsideKey
from gateway.flows.sending import enqueue
from gateway.flows.sending.accepted import Outcome, Queued, Told
from gateway.flows.sending.enqueue import Handed, Wanted
from gateway.http import repeats
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, READING
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import parse_json, parse_value
from gateway.http.values import MOST_VALUES

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
    """Each message is checked alone, so that a wrong one does not stop the others.

    All of them together hold at most 200,000 values: names of members are values, and a
    list or an object counts for five.
    """

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
    reading = request.app[READING]
    ((batch, name),) = await reading.each(len(body), [partial(_asked, request, body)])
    read = partial(wanted_of, request.app[PARTS], request[CALLER])
    checks = [partial(_check, read, message) for message in batch.messages]
    checked = await reading.each(len(body), checks)
    handed = Handed(checked, name, batch=True)
    # Not together with others: it may be long.
    (taken,) = await enqueue.accept_all(request.app[PARTS], [handed])
    if isinstance(taken, Clash):
        raise repeats.refusal(taken)
    count(request, checked, taken)
    results = map(_result, checked, taken.outcomes)
    return answer(BatchAnswer(results=list(results)))


def _asked(request: web.Request, body: bytes) -> tuple[BatchRequest, Name | None]:
    batch = parse_json(body, BatchRequest, most=MOST_VALUES)
    return batch, repeats.name_of(request, body, status=200)


_Read = Callable[[MessageRequest], Wanted]


def _check(read: _Read, raw: dict[str, JsonValue]) -> Wanted | Told:
    """One message, or what is wrong with it alone."""
    try:
        return read(parse_value(raw, MessageRequest))
    except Invalid as error:
        problems = [FieldProblem(pointer=e.pointer, detail=e.detail) for e in error.errors]
    except OutsideKey:
        problems = [FieldProblem(pointer="/purpose", detail="is outside the API key")]
    return Told(BatchInvalid(errors=problems).model_dump())


def _result(asked: Wanted | Told, outcome: Outcome) -> BatchResult:
    match outcome:
        case Queued():
            return BatchQueued(
                message_id=outcome.message,
                send_at_passed=outcome.send_at_passed,
                warnings=warnings_of(asked.blemishes if isinstance(asked, Wanted) else ()),
            )
        case Refused():
            return BatchRefused(reason=outcome.reason, refusal_class=outcome.refusal_class)
        case Told():
            return BatchInvalid.model_validate(outcome.answer)
