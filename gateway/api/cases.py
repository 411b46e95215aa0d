"""Evidence that stays locked after an erasure, opened under a case by who answers for the data."""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import StringConstraints

from audit.kinds import Actor
from gateway.api.permissions import require_turn
from gateway.api.targets import ADA
from gateway.callers.api_keys import Scope
from gateway.flows.rights.locked_evidence import Case, LockedEvidence
from gateway.http import openings
from gateway.http.answers import answer
from gateway.http.app_keys import EVIDENCE_SEARCHES, EVIDENCE_TURN, PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import CaseNumber, MailAddress
from gateway.http.models import Answer, Incoming
from gateway.http.openings import NoticeView, PersonProofView
from gateway.http.parsing import read_json
from gateway.http.reasons import reason_of

EXAMPLE: Final[dict[str, Any]] = {**ADA, "case": "2026-17"}
# Of one call: some two seconds of decrypting, so that no client gives it up.
_MOST: Final = 10_000


class EvidenceSearch(Incoming):
    email: MailAddress
    case: CaseNumber
    # Whatever the last row of a page is called, also one that somebody planted.
    after: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None


class EvidenceFound(Answer):
    """What was found among the `people` of this call, of `total`; with `next` as `after` go on."""

    case: str
    found: list[PersonProofView]
    notices: list[NoticeView]
    people: int
    total: int
    next: str | None = None


@endpoint(
    "POST",
    "/v1/evidence/search",
    summary="Open what proves the consents of somebody who was erased, for a case; told in the log",
    request=EvidenceSearch,
    responses={200: EvidenceFound},
    example=EXAMPLE,
    scope=Scope.EVIDENCE_OPEN,
    says_why=True,
    tags=("data protection officer",),
)
async def post_search(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    require_unbound(request)
    require_turn(request, parts.config.limits, parts.clock.wall(), EVIDENCE_SEARCHES)
    why = reason_of(request)
    said = await read_json(request, EvidenceSearch)
    case = Case(said.email, said.case, why, Actor.API, request[CALLER].id)
    evidence = LockedEvidence(parts.data, parts.keystore, parts.consents, parts.log, parts.clock)
    # One at a time: what opens is no more than a thread of those that compose mails, too.
    async with request.app[EVIDENCE_TURN]:
        total = await evidence.begin(case)
        looked = await evidence.search(case, said.after, _MOST)
        opening = await evidence.open(case, looked.found)
    return answer(
        EvidenceFound(
            case=said.case,
            found=openings.people(opening),
            notices=openings.notices(opening),
            people=looked.people,
            total=total,
            next=looked.after,
        )
    )
