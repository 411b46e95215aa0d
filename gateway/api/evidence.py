"""What proves one consent, for whoever answers for the data."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from audit.kinds import Actor
from gateway.api import tries
from gateway.callers.api_keys import Scope
from gateway.errors import NotPublished, ScopeMissing
from gateway.flows.proving.consent_bundle import ConsentBundles
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.exports import Exports
from gateway.http import pages, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import Media, endpoint
from gateway.http.evidence_forms import TYPES, Form, Writing
from gateway.http.fields import CaseNumber, PaperLocale
from gateway.http.models import Incoming
from gateway.http.parsing import read_query
from gateway.http.reasons import reason_of

_WHAT: Final = "consent whose evidence may be opened so"


class EvidenceQuery(Incoming):
    """As what, in which language, and for which case: of who was erased it is opened for one."""

    format: Literal["json", "pdf", "bundle", "jsonld"] = "json"
    locale: PaperLocale | None = None
    case: CaseNumber | None = None


@endpoint(
    "GET",
    "/v1/consents/{id:con_[0-9a-v]{26}}/evidence",
    summary="What proves one consent; told in its person's audit trail, with the reason",
    query=EvidenceQuery,
    responses={200: tuple(Media(kind) for kind in dict.fromkeys(TYPES.values()))},
    scope=Scope.SUBJECTS_READ,
    says_why=True,
    tags=("data protection officer",),
)
async def get_evidence(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    tries.require_a_turn(request)
    why, query = reason_of(request), read_query(request, EvidenceQuery)
    caller, form = request[CALLER], Form(query.format)
    if query.case is not None and Scope.EVIDENCE_OPEN not in caller.scopes:
        raise ScopeMissing(Scope.EVIDENCE_OPEN)
    parts, typesetter = request.app[PARTS], request.app[TYPESETTER]
    evidences = Evidences(
        parts.data, parts.keystore, parts.consents, parts.log, parts.clock, typesetter.aside
    )
    opening = Opening(Actor.API, why, caller.id, query.case)
    async with request.app[TURNS].place():
        async with request.app[TURNS].making:
            found = await evidences.of(request.match_info["id"], opening)
            if found is None:
                raise await tries.nobody(request, _WHAT)
            bundles = ConsentBundles(Exports(parts, typesetter.aside), parts.data, parts.keystore)
            writing = Writing(parts.config, typesetter, bundles)
            written = await writing.written(found, form, pages.locale_of(request, query.locale))
        if written is None:
            raise NotPublished
        headers = _headers(found, form)
        if isinstance(written, bytes):
            return await turns.hand_over(request, written, headers)
        return await turns.stream(request, written, headers)


def _headers(found: ConsentEvidence, form: Form) -> dict[str, str]:
    name = f"{found.consent.id}.{form.ending}"
    return {
        "Content-Type": TYPES[form],
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
