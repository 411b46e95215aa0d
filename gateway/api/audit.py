"""The audit log by HTTP: its events, their proofs, and the checkpoint that anybody may keep."""

from __future__ import annotations

from aiohttp import web

from audit import canonical
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid, NotFound, NotPublished
from gateway.flows.proving import audit_log
from gateway.flows.proving.audit_log import Wanted
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.models import AuditEvent, AuditEvents, AuditQuery, ProofView
from gateway.http.openapi import Media, endpoint
from gateway.http.parsing import read_query
from storage.ids import bits_of, named

_TAGS = ("audit",)


@endpoint(
    "GET",
    "/v1/audit/checkpoint",
    summary="The newest signed checkpoint (C2SP signed note); public",
    responses={200: Media("text/plain")},
    tags=_TAGS,
)
async def get_checkpoint(request: web.Request) -> web.StreamResponse:
    note = await audit_log.checkpoint(request.app[PARTS])
    if note is None:
        raise NotFound
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
    parts, query = request.app[PARTS], read_query(request, AuditQuery)
    if query.kind is not None and query.kind not in tuple(Kind):
        raise Invalid.at("/kind", "is not a kind of event")
    kind = Kind(query.kind) if query.kind else None
    wanted = Wanted(kind, query.since, query.until, query.after, query.limit)
    found = await audit_log.events(parts, wanted)
    events = [
        AuditEvent(
            event_id=named("evt", one.entry.eid),
            index=one.index,
            at=one.entry.at,
            kind=one.entry.kind,
            actor=one.entry.actor,
        )
        for one in found
    ]
    more = len(events) == query.limit
    return answer(AuditEvents(events=events, next=str(events[-1].index) if more else None))


@endpoint(
    "GET",
    "/v1/audit/events/{id:evt_[0-9a-v]{26}}/proof",
    summary="Proof that an event is in the log that the newest checkpoint signs (RFC 9162)",
    responses={200: ProofView},
    scope=Scope.AUDIT_READ,
    tags=_TAGS,
)
async def get_proof(request: web.Request) -> web.StreamResponse:
    name = request.match_info["id"]
    try:
        eid = bits_of(name)
    except ValueError:
        raise NotFound from None  # a second spelling of its bytes
    found, known = await audit_log.prove(request.app[PARTS], eid)
    if found is None:
        raise NotPublished if known else NotFound
    at = found.inclusion
    return answer(
        ProofView(
            event_id=name,
            index=at.index,
            size=at.size,
            entry=at.entry.decode(),
            path=[canonical.encode(one) for one in at.path],
            checkpoint=found.checkpoint,
        )
    )
