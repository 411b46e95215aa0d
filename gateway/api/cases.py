"""Evidence that stays locked after an erasure, opened under a case by who answers for the data."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from gateway.api.permissions import require_turn
from gateway.api.targets import ADA
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid
from gateway.flows.rights.locked_evidence import Case, LockedEvidence
from gateway.http import cursors, openings
from gateway.http.answers import answer
from gateway.http.app_keys import EVIDENCE_SEARCHES, EVIDENCE_TURN, PARTS
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import CaseNumber, MailAddress, PageCursor
from gateway.http.models import Answer, Incoming
from gateway.http.openings import NoticeView, PersonProofView
from gateway.http.parsing import read_json
from gateway.http.reasons import reason_of
from storage.honesty import RowKeys

EXAMPLE: Final[dict[str, Any]] = {**ADA, "case": "2026-17"}
_LIST: Final = "evidence"
# Of one call: some two seconds of decrypting, so that no client gives it up.
_MOST: Final = 10_000


class EvidenceSearch(Incoming):
    email: MailAddress
    case: CaseNumber
    after: PageCursor | None = None


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
    after = None if said.after is None else _behind(parts.rows, said.after)
    evidence = LockedEvidence(parts.data, parts.keystore, parts.consents, parts.log, parts.clock)
    # One at a time: what opens is no more than a thread of those that compose mails, too.
    async with request.app[EVIDENCE_TURN]:
        total = await evidence.begin(case)
        looked = await evidence.search(case, after, _MOST)
        opening = await evidence.open(case, looked.found)
    return answer(
        EvidenceFound(
            case=said.case,
            found=openings.people(opening),
            notices=openings.notices(opening),
            people=looked.people,
            total=total,
            next=None if looked.after is None else cursors.closed(parts.rows, _LIST, looked.after),
        )
    )


def _behind(keys: RowKeys, said: str) -> str:
    """Behind whom to go on; whoever says that themselves would learn who was erased."""
    name = cursors.opened(keys, _LIST, said)
    if name is None:
        raise Invalid.at("/after", "is not what `next` was, or too old: begin without it")
    return name
