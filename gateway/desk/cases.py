"""Cases: what people ask for by right, by when it is due, and what is decided of it.

A list and a case tell what was asked and when, and of nobody's address: whoever wants the
person opens them with a reason, as anywhere at the desk.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

from aiohttp import web
from multidict import MultiDictProxy

from audit.kinds import Actor
from consent import address
from consent.errors import AddressError
from consent.rights import Refusal, Right, RightsRequest, Step
from gateway.callers.operators import Role
from gateway.desk import case_pages, questions, seated
from gateway.desk.case_pages import FIRST, DecidedQuery, DueQuery, case_page, list_page
from gateway.desk.entrance import TAGS
from gateway.desk.people import READERS, everything, file_headers
from gateway.desk.questions import CaseAnswer, CaseStep, NewCase
from gateway.desk.seated import Fields
from gateway.errors import NotFound
from gateway.flows.by import By
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving import certificate
from gateway.flows.rights import looking
from gateway.flows.rights.handing_out import at_the_desk
from gateway.flows.rights.requests import Asked, Case, RightsRequests
from gateway.flows.rights.telling import receivers_of
from gateway.flows.sending.permission import Question
from gateway.http import certificate_paper, certificates, handed_out, pages, turns
from gateway.http.app_keys import PARTS, RIGHTS_REQUESTS, TURNS
from gateway.http.endpoints import Media, endpoint, page
from gateway.http.parsing import read_query
from gateway.http.typesetter import PDF

_RIGHTS: Final = tuple(str(one) for one in Right)
_STEPS: Final = tuple(str(one) for one in Step)
_SEEN: Final = (200, 303, 422)
_NOON: Final = time(12)


@page("GET", "/dpo/cases", "Cases that wait, in the order in which they are due", tags=TAGS)
@seated.reads(*READERS)
async def list_cases(request: web.Request, operator: Operator) -> web.StreamResponse:
    return await list_page(request, operator, read_query(request, DueQuery).place)


@page("GET", "/dpo/cases/decided", "Cases that are decided, the last first", tags=TAGS)
@seated.reads(*READERS)
async def list_decided(request: web.Request, operator: Operator) -> web.StreamResponse:
    return await case_pages.decided_page(request, read_query(request, DecidedQuery).before)


@page("POST", "/dpo/cases", "Write a case down", form=NewCase, statuses=_SEEN, tags=TAGS)
@seated.posts(Role.DPO)
async def enter(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """What came by letter or phone; that nobody is known by an address is told in the log."""
    try:
        email = address.parse(fields.get("email", ""))
    except AddressError:
        return await list_page(request, operator, FIRST, typed=fields, problem="email")
    if unsaid := next((name for name in ("kind", "channel") if not fields.get(name)), None):
        return await list_page(request, operator, FIRST, typed=fields, problem=unsaid)
    parts, requests = request.app[PARTS], request.app[RIGHTS_REQUESTS]
    right = Right(questions.one_of(fields, "kind", *_RIGHTS))
    channel = questions.one_of(fields, "channel", *questions.CHANNELS)
    by, question = By(operator.id, Actor.OPERATOR), Question("", email)
    came = _received(fields, requests)
    new = await requests.record(Asked(question, right, channel, by, came))
    if not isinstance(new, RightsRequest):
        stores = (parts.data, parts.log, parts.clock)
        await looking.in_vain(*stores, operator.id, Actor.OPERATOR)
        return await list_page(request, operator, FIRST, typed=fields, problem="nobody")
    return case_page(request, operator, await _case(request, new.id), did="recorded")


@page("GET", case_pages.ONE, "One case, without its person", tags=TAGS)
@seated.reads(*READERS)
async def show_case(request: web.Request, operator: Operator) -> web.StreamResponse:
    return case_page(request, operator, await _case(request, request.match_info["id"]))


@page(
    "POST",
    "/dpo/cases/decide",
    "What an answer, an extension or a refusal means; with `sure` and a reason it is written down",
    form=CaseStep,
    statuses=_SEEN,
    tags=TAGS,
)
@seated.posts(Role.DPO)
async def decide(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """In two steps, by the rules that a program's decisions have."""
    case, requests = await _named(request, fields), request.app[RIGHTS_REQUESTS]
    step = Step(questions.one_of(fields, "step", *_STEPS))
    if (refusal := case.request.refusal(step, case.now)) is not None:
        return case_page(request, operator, case, problem=refusal)
    reason, sure = questions.reason_of(fields), fields.get("sure") == "yes"
    if reason is None or not sure:
        later = requests.later(case.request) if step is Step.EXTEND else None
        return case_pages.step_page(request, operator, case, step, later, unsaid=sure)
    by = By(operator.id, Actor.OPERATOR)
    became = await requests.decide(case.request.id, step, reason, by)
    if isinstance(became, Refusal):
        return case_page(request, operator, case, problem=became)
    return case_page(request, operator, await _case(request, case.request.id), did=step)


@endpoint(
    "POST",
    "/dpo/cases/answer",
    summary="Everything held about who asked, as a file; the case is answered by it",
    responses={200: (Media(PDF), Media("application/json")), 303: None},
    form=CaseAnswer,
    people=True,
    tags=TAGS,
)
@seated.posts(Role.DPO)
async def answer(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """In one click: told, written, marked as answered, and only then handed over."""
    case, why = await _named(request, fields), questions.required_why(fields)
    reason = questions.reason_of(fields)
    form = handed_out.Form(questions.one_of(fields, "format", "pdf", "json"))
    refusal = case.request.refusal(Step.ANSWER, case.now)
    if refusal is not None or reason is None:
        problem = "reason" if refusal is None else refusal
        return case_page(request, operator, case, problem=problem)
    name, by = case.request.id, By(operator.id, Actor.OPERATOR)
    async with request.app[TURNS].place():
        asked = at_the_desk(operator, why)
        body = await everything(request, case.request.subject, asked, form)
        became = await request.app[RIGHTS_REQUESTS].decide(name, Step.ANSWER, reason, by)
        if not isinstance(became, RightsRequest):
            return case_page(request, operator, case, problem=became or Refusal.DECIDED)
        headers = file_headers(f"{name}.{form}", handed_out.TYPES[form])
        return await turns.hand_over(request, body, headers)


@endpoint(
    "GET",
    "/dpo/erasures/{id:era_[0-9a-v]{26}}",
    summary="The certificate of an erasure as a paper; it names nobody",
    responses={200: Media(PDF), 303: None},
    people=True,
    tags=TAGS,
)
@seated.reads(*READERS)
async def show_certificate(request: web.Request, operator: Operator) -> web.StreamResponse:
    parts = request.app[PARTS]
    told, stores = receivers_of(parts.config), (parts.data, parts.keystore)
    about = request.match_info["id"]
    found = await certificate.look_up(*stores, parts.rows, parts.log, about, told)
    if found is None:
        raise NotFound
    shown = certificates.view(*found, parts.config, pages.locale_of(request))
    return await certificate_paper.answer_pdf(request, shown)


async def _case(request: web.Request, name: str) -> Case:
    found = await request.app[RIGHTS_REQUESTS].case(name)
    if found is None:
        raise NotFound
    return found


async def _named(request: web.Request, fields: MultiDictProxy[str]) -> Case:
    return await _case(request, questions.subject_of(fields, "request"))


def _received(fields: MultiDictProxy[str], requests: RightsRequests) -> datetime | None:
    """Noon of the day that was chosen, where due dates are counted: it is that day there."""
    day = questions.day_of(fields, "received_on")
    if day is None:
        return None
    return datetime.combine(day, _NOON, requests.calendar.zone).astimezone(UTC)


ROWS: Final = (list_cases, list_decided, enter, show_case, decide, answer, show_certificate)
