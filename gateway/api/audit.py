"""The audit log by HTTP: its events, their proofs, and the checkpoints that prove them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from audit import canonical
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid, NotFound, NotPublished
from gateway.flows.proving import audit_log
from gateway.flows.proving.audit_log import EventsWanted
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import Media, endpoint
from gateway.http.fields import Moment
from gateway.http.models import Answer
from gateway.http.parsing import read_query
from storage import patterns
from storage.ids import bits_of, named

_TAGS = ("audit",)
_NO_EVENT: Final = "event of this id in the log"


class AuditQuery(BaseModel):
    """The query string of the event list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, StringConstraints(pattern=patterns.EVENT_KIND)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AuditEvent(Answer):
    event_id: str
    index: int
    at: datetime
    kind: str
    actor: str


class AuditEvents(Answer):
    events: list[AuditEvent]
    next: str | None = None


class ProofView(Answer):
    """Where an event stands in the log, so that anybody can recompute the root (RFC 9162, 2.1.3.2).

    The leaf is SHA-256(0x00, the UTF-8 bytes of `entry`); `path` holds hashes in
    Base64, the leaf's neighbour first; `checkpoint` is the signed note of that root.
    """

    event_id: str
    index: int
    size: int
    entry: str
    path: list[str]
    checkpoint: str


@endpoint(
    "GET",
    "/v1/audit/checkpoint",
    summary="The newest signed checkpoint (C2SP signed note); to strangers the last public one",
    responses={200: Media("text/plain")},
    scope=Scope.AUDIT_READ,
    open_to_all=True,
    tags=_TAGS,
)
async def get_checkpoint(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    verifier = parts.publisher.verifier
    # What the log grew by says how much happened for others' purposes, too.
    if CALLER in request and not request[CALLER].is_bound:
        note = await audit_log.newest_checkpoint(parts.data, verifier)
    else:
        stores = (parts.data, parts.guard)
        note = await audit_log.public_checkpoint(*stores, parts.log, verifier, parts.config.audit)
    if note is None:
        raise NotFound("checkpoint yet")
    return web.Response(text=note, content_type="text/plain", headers={"Cache-Control": "no-store"})


@endpoint(
    "GET",
    "/v1/audit/events",
    summary="Events with an index, oldest first, without personal data",
    query=AuditQuery,
    responses={200: AuditEvents},
    scope=Scope.AUDIT_READ,
    tags=_TAGS,
)
async def get_events(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    parts, query = request.app[PARTS], read_query(request, AuditQuery)
    if query.kind is not None and query.kind not in tuple(Kind):
        raise Invalid.at("/kind", "is not a kind of event")
    kind = Kind(query.kind) if query.kind else None
    wanted = EventsWanted(kind, query.since, query.until, query.after, query.limit)
    found, last = await audit_log.events(parts.data, parts.log, wanted)
    events = [
        AuditEvent(
            event_id=named("evt", logged.entry.eid),
            index=logged.index,
            at=logged.entry.at,
            kind=logged.entry.kind,
            actor=logged.entry.actor,
        )
        for logged in found
    ]
    return answer(AuditEvents(events=events, next=None if last is None else str(last.place)))


@endpoint(
    "GET",
    "/v1/audit/events/{id:evt_[0-9a-v]{26}}/proof",
    summary="Proof that an event is in the log that the newest checkpoint signs (RFC 9162)",
    responses={200: ProofView},
    scope=Scope.AUDIT_READ,
    tags=_TAGS,
)
async def get_proof(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    name = request.match_info["id"]
    try:
        eid = bits_of(name)
    except ValueError:
        raise NotFound(_NO_EVENT) from None  # a second spelling of its bytes
    parts = request.app[PARTS]
    found, known = await audit_log.prove(parts.data, parts.log, parts.publisher.verifier, eid)
    if found is None:
        raise NotPublished if known else NotFound(_NO_EVENT)
    at = found.inclusion
    return answer(
        ProofView(
            event_id=name,
            index=at.index,
            size=at.size,
            entry=at.entry.decode(),
            path=[canonical.encode(neighbour) for neighbour in at.path],
            checkpoint=found.checkpoint,
        )
    )
