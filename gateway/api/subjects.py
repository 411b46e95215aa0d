"""Looking a person up, for whoever answers for the data: every look is told in the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from aiohttp import web

from consent.model import State, SubjectState
from gateway.api.permissions import require_turn
from gateway.api.targets import ADA
from gateway.callers.api_keys import Scope
from gateway.errors import NotFound
from gateway.flows.rights.looking import Look, Looking, Seen
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import MailAddress
from gateway.http.models import Answer, Incoming
from gateway.http.parsing import read_json
from gateway.http.reasons import reason_of

EXAMPLE: Final[dict[str, Any]] = dict(ADA)


class SubjectLookUp(Incoming):
    email: MailAddress


class ConsentView(Answer):
    """One consent: one purpose, one asking; `text` is the hash of its wording."""

    consent_id: str
    purpose: str
    state: State
    text: str
    requested_at: datetime
    decided_at: datetime | None = None
    ends_at: datetime | None = None


class SubjectView(Answer):
    """Who is known by that address, with every consent, oldest request first."""

    subject_id: str
    state: SubjectState
    consents: list[ConsentView]


@endpoint(
    "POST",
    "/v1/subjects/lookup",
    summary="The person known by an address, with their consents; told in their audit trail",
    request=SubjectLookUp,
    responses={200: SubjectView},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_READ,
    says_why=True,
    tags=("data protection officer",),
)
async def post_lookup(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    require_unbound(request)
    require_turn(request, parts.config.limits, parts.clock.wall())
    why = reason_of(request)
    said = await read_json(request, SubjectLookUp)
    found = await Looking(parts).up(Look(said.email, why, request[CALLER].id))
    if found is None:
        raise NotFound("person known by this address")
    consents = [_view(one) for one in found.consents]
    return answer(SubjectView(subject_id=found.subject, state=found.state, consents=consents))


def _view(seen: Seen) -> ConsentView:
    consent = seen.consent
    return ConsentView(
        consent_id=consent.id,
        purpose=consent.purpose,
        state=seen.state,
        text=consent.text_hash,
        requested_at=consent.requested_at,
        decided_at=seen.decided_at,
        ends_at=consent.ends_at,
    )
