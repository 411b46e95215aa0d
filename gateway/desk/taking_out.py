"""The log is taken out at the desk: a period, for an authority, or of one person with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from aiohttp import web
from multidict import MultiDictProxy

from audit.kinds import Actor
from gateway.desk import questions, seated
from gateway.desk.entrance import TAGS
from gateway.desk.log_pages import DayQuery, log_page
from gateway.desk.people import READERS
from gateway.desk.questions import LogExport, PersonLog
from gateway.desk.seated import Fields
from gateway.errors import Invalid, NotFound, NotPublished
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving.export_forms import Export, Form
from gateway.flows.proving.exports import Exports, Extent, Taking
from gateway.flows.rights.handing_out import at_the_desk
from gateway.flows.sending.permission import Question
from gateway.http import audit_files, pages, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.endpoints import endpoint

_FORMS: Final = tuple(str(one) for one in Form)
_EXTENTS: Final = tuple(str(one) for one in Extent)


@endpoint(
    "POST",
    "/dpo/log/export",
    summary="The log, or a period of it, as a file; for an authority with its case number",
    responses={200: audit_files.MEDIA, 303: None},
    form=LogExport,
    people=True,
    tags=TAGS,
)
@seated.posts(*READERS)
async def export_log(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    """Told in the log before its first byte; without personal data."""
    try:
        taking = _taking(operator, fields)
        return await _handed_over(request, taking)
    except Invalid as error:
        problem = error.errors[0].pointer.strip("/")
        return await log_page(request, operator, DayQuery(), typed=fields, problem=problem)


@endpoint(
    "POST",
    "/dpo/log/person",
    summary="What the log holds of a person, opened, with its proofs; told in their audit trail",
    responses={200: audit_files.MEDIA, 303: None},
    form=PersonLog,
    people=True,
    tags=TAGS,
)
@seated.posts(*READERS)
async def export_person(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    subject, why = questions.about(fields)
    form, exports = Form(questions.one_of(fields, "format", *_FORMS)), _exports(request)
    question, asked = Question("", subject=subject), at_the_desk(operator, why)
    async with request.app[TURNS].place():
        export = await exports.of_person(question, asked, form)
        if export is None:
            raise NotFound
        return await _written(request, export, None)


async def _handed_over(request: web.Request, taking: Taking) -> web.StreamResponse:
    exports = _exports(request)
    async with request.app[TURNS].place():
        export = await exports.of_log(taking)
        if export is None:
            raise NotPublished
        if taking.form is not Form.PDF:
            await exports.tell(export, taking)
            return await turns.stream(request, export.read(), audit_files.headers(export))
        body = await _paper(request, export, taking.case)
        await exports.tell(export, taking)
        return await turns.hand_over(request, body, audit_files.headers(export))


async def _written(request: web.Request, export: Export, case: str | None) -> web.StreamResponse:
    headers = audit_files.headers(export)
    if export.order.form is Form.PDF:
        return await turns.hand_over(request, await _paper(request, export, case), headers)
    return await turns.stream(request, export.read(), headers)


async def _paper(request: web.Request, export: Export, case: str | None) -> bytes:
    typesetter, config = request.app[TYPESETTER], request.app[PARTS].config
    return await audit_files.paper(typesetter, config, export, pages.locale_of(request), case=case)


def _exports(request: web.Request) -> Exports:
    return Exports(request.app[PARTS], request.app[TYPESETTER].aside)


def _taking(operator: Operator, fields: MultiDictProxy[str]) -> Taking:
    """Whole days, both of them in it; raises `Invalid`."""
    form = Form(questions.one_of(fields, "format", *_FORMS))
    extent = Extent(questions.one_of(fields, "scope", *_EXTENTS))
    case = questions.case_of(fields)
    first, last = (questions.day_of(fields, name) for name in ("since", "until"))
    if first is not None and last is not None and last < first:
        raise Invalid.at("/until", "must not be before the first day")
    audit_files.check(form, extent, case)
    until = None if last is None else last + timedelta(days=1)
    times = (_begin(first), _begin(until))
    return Taking(form, Actor.OPERATOR, operator.id, case, *times, extent)


def _begin(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


ROWS: Final = (export_log, export_person)
