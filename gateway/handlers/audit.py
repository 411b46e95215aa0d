"""The audit log by HTTP: its events, their proofs, and the checkpoint that anybody may keep."""

from __future__ import annotations

import base64
import binascii

from aiohttp import web

from audit import canonical, proof
from audit import log as audit_log
from audit.kinds import Kind
from gateway.answers import answer
from gateway.api_keys import Scope
from gateway.api_models import AuditEvent, AuditEvents, AuditQuery, ProofView
from gateway.errors import Invalid, NotFound, NotPublished
from gateway.keys import PARTS
from gateway.openapi import Media, endpoint
from gateway.parsing import read_query

_TAGS = ("audit",)
_PREFIX = "evt_"


@endpoint(
    "GET",
    "/v1/audit/checkpoint",
    summary="The newest signed checkpoint (C2SP signed note); public",
    responses={200: Media("text/plain")},
    tags=_TAGS,
)
async def get_checkpoint(request: web.Request) -> web.StreamResponse:
    async with request.app[PARTS].data.read() as connection:
        note = await audit_log.latest_checkpoint(connection)
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
    async with parts.data.read() as connection:
        found = await parts.log.events(
            connection,
            kind=Kind(query.kind) if query.kind else None,
            since=query.since,
            until=query.until,
            after=query.after,
            limit=query.limit,
        )
    events = [
        AuditEvent(
            event_id=event_id(one.entry.eid),
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
    parts, name = request.app[PARTS], request.match_info["id"]
    eid = eid_of(name)
    async with parts.data.read() as connection:
        found = await proof.prove(connection, parts.log, eid)
        if found is None:
            raise NotPublished if await proof.is_known(connection, eid) else NotFound
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


def event_id(eid: bytes) -> str:
    """The public name of an event."""
    return _PREFIX + base64.b32hexencode(eid).decode().rstrip("=").lower()


def eid_of(name: str) -> bytes:
    """The event that *name* stands for; raises NotFound for a second spelling of its bytes."""
    try:
        eid = base64.b32hexdecode(name.removeprefix(_PREFIX).upper() + "======")
    except binascii.Error:
        raise NotFound from None
    if event_id(eid) != name:
        raise NotFound
    return eid
