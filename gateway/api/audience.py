"""How many consents a purpose has, by where they stand."""

from __future__ import annotations

from aiohttp import web

from gateway.api.permissions import require_turn
from gateway.api.targets import require_covered
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid
from gateway.flows.campaigning import standing
from gateway.http.answers import answer
from gateway.http.app_keys import CAMPAIGNS, PARTS
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import Name
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import read_query


class AudienceQuery(Incoming):
    """Of which purpose."""

    purpose: Name


class AudienceView(Answer):
    """Consents by their state; those confirmed are permitted, or what stops their person."""

    permitted: int = 0
    pending: int = 0
    rejected: int = 0
    lapsed: int = 0
    withdrawn: int = 0
    expired: int = 0
    restricted: int = 0
    objected: int = 0
    suppressed_bounce: int = 0
    suppressed_complaint: int = 0
    erasing: int = 0


@endpoint(
    "GET",
    "/v1/audience",
    summary="How many consents a purpose has, by where they stand",
    query=AudienceQuery,
    responses={200: AudienceView},
    scope=Scope.AUDIENCE_READ,
    tags=("senders",),
)
async def get_audience(request: web.Request) -> web.StreamResponse:
    parts, purpose = request.app[PARTS], read_query(request, AudienceQuery).purpose
    require_turn(request, parts.config.limits, parts.clock.wall())
    require_covered(parts.config, request[CALLER], purpose)
    if purpose not in parts.config.purposes:
        raise Invalid.at("/purpose", "is not in the configuration")
    return answer(AudienceView(**await standing.audience_of(request.app[CAMPAIGNS], purpose)))
