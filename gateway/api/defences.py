"""A mail that somebody came with: whether it is ours, and what proves that it was allowed."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from audit.kinds import Actor
from delivery import handed_in
from gateway.api import tries
from gateway.callers.api_keys import Scope
from gateway.errors import WrongContentType
from gateway.flows.proving.consent_evidence import Opening
from gateway.http import defences, pages, turns
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.defence_forms import Answering
from gateway.http.defences import NotOursView, OursView
from gateway.http.endpoints import Media, endpoint
from gateway.http.fields import CaseNumber, PaperLocale
from gateway.http.parsing import read_bytes, read_query
from gateway.http.reasons import reason_of

_MAIL: Final = "message/rfc822"
_PDF: Final = "application/pdf"
_ZIP: Final = "application/zip"
_JSON: Final = "application/json"
_LONGEST_HEADER: Final = 1000
_PATIENCE: Final = 120.0  # seconds in which the largest mail arrives over a bad line
EXAMPLE: Final = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=acme.example; s=gw20261127; …\r\n"
    "From: Acme <news@acme.example>\r\nTo: ada@example.org\r\nSubject: News\r\n\r\nHello.\r\n"
)


class DefenceQuery(BaseModel):
    """*case* is a file number for the log, which has it for ever: it must name nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    locale: PaperLocale | None = None
    case: CaseNumber | None = None


@endpoint(
    "POST",
    "/v1/defences",
    summary="Whether a mail is ours, under which permit and consent; told in the person's trail",
    body=Media(_MAIL),
    query=DefenceQuery,
    responses={200: (OursView | NotOursView, Media(_PDF), Media(_ZIP))},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_READ,
    says_why=True,
    tags=("data protection officer",),
)
async def post_defence(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    tries.require_a_turn(request)
    why, caller = reason_of(request), request[CALLER]
    case = read_query(request, DefenceQuery).case
    if request.content_type != _MAIL:
        raise WrongContentType
    kind, locale = _wanted(request), pages.locale_of(request)
    opens_locked = Scope.EVIDENCE_OPEN in caller.scopes
    answering = Answering(request.app[PARTS], request.app[TYPESETTER], opens_locked)
    async with request.app[TURNS].place():
        raw = await read_bytes(request, most=handed_in.MOST, patience=_PATIENCE)
        async with request.app[TURNS].making:
            made = await answering.of(raw, Opening(Actor.API, why, caller.id, case), locale)
        if kind == _ZIP:
            return await turns.stream(request, await made.bundle(), _headers(kind))
        if kind == _PDF:
            return await turns.hand_over(request, await made.pdf(), _headers(kind))
    return answer(defences.view(made.found, request.app[PARTS].config))


def _wanted(request: web.Request) -> str:
    """The first type of `Accept` that there is; JSON for whoever names none."""
    said = request.headers.get("Accept", "")[:_LONGEST_HEADER].split(",")
    named = (one.partition(";")[0].strip().lower() for one in said)
    return next((one for one in named if one in (_PDF, _ZIP, _JSON)), _JSON)


def _headers(kind: str) -> dict[str, str]:
    ending = kind.rpartition("/")[2]
    return {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="defence.{ending}"',
        "Cache-Control": "no-store",
    }
