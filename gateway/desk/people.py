"""One person at the desk: looked up with a reason, their whole story, and files that prove it.

Each answer is told in the person's own audit trail first, with operator and reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from consent import address
from consent.errors import AddressError
from gateway.callers.operators import Role
from gateway.desk import questions, seated, sessions, story
from gateway.desk.entrance import TAGS, brand, start_page
from gateway.desk.questions import About, DossierQuestion, ProofQuestion, Search
from gateway.desk.seated import Fields
from gateway.errors import NotFound, NotPublished
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving.consent_bundle import ConsentBundles
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.exports import Exports
from gateway.flows.rights.dossier import Dossier, Dossiers
from gateway.flows.rights.handing_out import Asked, HandingOut, at_the_desk
from gateway.flows.rights.looking import Look, Looking
from gateway.http import evidence_forms, handed_out, pages, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.endpoints import Media, endpoint, page
from gateway.http.evidence_forms import Writing
from gateway.http.typesetter import PDF

READERS: Final = (Role.DPO, Role.AUDITOR)
_SEEN: Final = (200, 303, 422)


@page("POST", "/dpo/people", "Look a person up", form=Search, statuses=_SEEN, tags=TAGS)
@seated.posts(*READERS)
async def search(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """By address and with a reason; who is nobody's is told in the log, too."""
    typed, why = fields.get("email", ""), questions.why_of(fields)
    given = {"email": typed, "why": fields.get("why", "")}
    try:
        email = address.parse(typed)
    except AddressError:
        return start_page(request, operator, **given, problem="email")
    if why is None:
        return start_page(request, operator, **given, problem="why")
    look = Look(email, why, operator.id, Actor.OPERATOR, operator.name)
    async with request.app[TURNS].place(), request.app[TURNS].making:
        person = await Looking(request.app[PARTS]).up(look)
        dossier = None if person is None else await _collected(request, person.subject)
        if dossier is None:
            return start_page(request, operator, **given, problem="nobody")
        return await person_page(request, operator, dossier, why)


@page("POST", "/dpo/person", "A person again", form=About, statuses=(200, 303), tags=TAGS)
@seated.posts(*READERS)
async def again(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """The same page, as it is by now: that is a look of its own."""
    subject, why = questions.about(fields)
    return await shown_again(request, operator, subject, why)


async def shown_again(
    request: web.Request, operator: Operator, subject: str, why: str, did: str | None = None
) -> web.Response:
    """A person's page, told first; *did*: what was done for them just now."""
    async with request.app[TURNS].place(), request.app[TURNS].making:
        await tell(request, operator, subject, why)
        dossier = await _collected(request, subject)
        if dossier is None:
            return start_page(request, operator, problem="gone")
        return await person_page(request, operator, dossier, why, did)


async def tell(request: web.Request, operator: Operator, subject: str, why: str) -> None:
    """Say in the person's trail who looks, and why; raises `NotFound` for who is not live."""
    handing = HandingOut(request.app[PARTS], request.app[TYPESETTER].aside)
    if not await handing.tell(subject, at_the_desk(operator, why)):
        raise NotFound


async def person_page(
    request: web.Request, operator: Operator, dossier: Dossier, why: str, did: str | None = None
) -> web.Response:
    """Everything that this person's story has, newest first."""
    config, locale = request.app[PARTS].config, pages.locale_of(request)
    write = request.app[TYPESETTER].aside
    facts: Mapping[str, Any] = await write(lambda: story.told(dossier, config, locale))
    return pages.response(
        request,
        "desk_person",
        brand=brand(request),
        **facts,
        why=why,
        did=did,
        may_act=operator.role is Role.DPO,
        csrf=sessions.csrf(request, operator),
    )


async def _collected(request: web.Request, subject: str) -> Dossier | None:
    aside = request.app[TYPESETTER].aside
    return await Dossiers(request.app[PARTS]).collect(subject, aside, for_paper=True)


@endpoint(
    "POST",
    "/dpo/proof",
    summary="What proves one consent, as a paper or as a bundle that checks itself",
    responses={200: (Media(PDF), Media("application/zip")), 303: None},
    form=ProofQuestion,
    people=True,
    tags=TAGS,
)
@seated.posts(*READERS)
async def proof(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    _, why = questions.about(fields)
    form = evidence_forms.Form(questions.one_of(fields, "format", "pdf", "bundle"))
    consent = questions.subject_of(fields, "consent")
    parts, typesetter = request.app[PARTS], request.app[TYPESETTER]
    stores = (parts.data, parts.keystore, parts.consents, parts.log, parts.clock)
    evidences = Evidences(*stores, typesetter.aside)
    opening = Opening(Actor.OPERATOR, why, operator=operator.id, name=operator.name)
    async with request.app[TURNS].place():
        async with request.app[TURNS].making:
            evidence = await evidences.of(consent, opening)
            if evidence is None:
                raise NotFound
            bundles = ConsentBundles(Exports(parts, typesetter.aside), parts.data, parts.keystore)
            writing = Writing(parts.config, typesetter, bundles)
            written = await writing.written(evidence, form, pages.locale_of(request))
        if written is None:
            raise NotPublished
        headers = file_headers(f"{consent}.{form.ending}", evidence_forms.TYPES[form])
        if isinstance(written, bytes):
            return await turns.hand_over(request, written, headers)
        return await turns.stream(request, written, headers)


@endpoint(
    "POST",
    "/dpo/dossier",
    summary="Everything held about a person (Art. 15 GDPR), as a paper or for a program",
    responses={200: (Media(PDF), Media("application/json")), 303: None},
    form=DossierQuestion,
    people=True,
    tags=TAGS,
)
@seated.posts(*READERS)
async def dossier(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    subject, why = questions.about(fields)
    form = handed_out.Form(questions.one_of(fields, "format", "pdf", "json"))
    async with request.app[TURNS].place():
        body = await everything(request, subject, at_the_desk(operator, why), form)
        headers = file_headers(f"{subject}.{form}", handed_out.TYPES[form])
        return await turns.hand_over(request, body, headers)


async def everything(
    request: web.Request, subject: str, asked: Asked, form: handed_out.Form
) -> bytes:
    """A person's dossier as a file, told first; raises `NotFound` for who is not live."""
    parts, typesetter = request.app[PARTS], request.app[TYPESETTER]
    write = handed_out.writer(form, parts.config, pages.locale_of(request), typesetter)
    async with request.app[TURNS].making:
        handing, paper = HandingOut(parts, typesetter.aside), form is handed_out.Form.PDF
        body = await handing.of(subject, asked, write, as_paper=paper)
    if body is None:
        raise NotFound
    return body


def file_headers(name: str, kind: str) -> dict[str, str]:
    return {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }


ROWS: Final = (search, again, proof, dossier)
