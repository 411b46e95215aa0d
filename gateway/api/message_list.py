"""The messages that a caller handed in, as a list: where each stands, and never to whom."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from delivery.outbox import Status
from delivery.own_messages import Asked
from gateway.api.messages import MessageStatus, MessageSummary, status_of, summary_of
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid
from gateway.flows.sending import messages
from gateway.flows.sending.messages import Listed
from gateway.http import cursors
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, WORDINGS
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import Label, Moment, Name, PageCursor
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import read_query
from storage.honesty import RowKeys

_LIST: Final = "messages"


class MessagesQuery(Incoming):
    """The query string: accepted from *since* up to *until*; *after* is what `next` was."""

    reference: Label | None = None
    status: Annotated[MessageStatus, Field(strict=False)] | None = None
    purpose: Name | None = None
    since: Moment | None = None
    until: Moment | None = None
    after: PageCursor | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class MessagesView(Answer):
    """A page may have fewer than the limit, or none: it is the last where `next` is null."""

    messages: list[MessageSummary]
    next: str | None


@endpoint(
    "GET",
    "/v1/messages",
    summary="Your messages, newest first, without addresses",
    query=MessagesQuery,
    responses={200: MessagesView},
    scope=Scope.MESSAGES_SEND,
    tags=("senders",),
)
async def get_messages(request: web.Request) -> web.StreamResponse:
    parts, query, key = request.app[PARTS], read_query(request, MessagesQuery), request[CALLER]
    await _require_purpose(request, query.purpose)
    asked = Asked(
        key.id,
        query.since,
        query.until,
        query.purpose,
        None if query.status is None else _standing_so(query.status),
        None if query.reference is None else key.found_by(query.reference),
        None if query.after is None else _behind(parts.rows, query.after),
    )
    found, before = await messages.listed(parts.data, parts.keystore, asked, query.limit)
    onwards = None if before is None else cursors.closed(parts.rows, _LIST, before)
    return answer(MessagesView(messages=[_listed(one) for one in found], next=onwards))


async def _require_purpose(request: web.Request, purpose: str | None) -> None:
    """One that left the configuration is found by, too: its messages are kept."""
    if purpose is None or purpose in request.app[PARTS].config.purposes:
        return
    if not await request.app[WORDINGS].was_asked(purpose):
        raise Invalid.at("/purpose", "is not a purpose of this gateway")


def _behind(keys: RowKeys, said: str) -> str:
    name = cursors.opened(keys, _LIST, said)
    if name is None:
        raise Invalid.at("/after", "is not what `next` was, or too old: begin without it")
    return name


def _listed(one: Listed) -> MessageSummary:
    return MessageSummary(**summary_of(one.message, one.reference))


def _standing_so(status: MessageStatus) -> frozenset[Status]:
    return frozenset(one for one in Status if status_of(one) is status)
