"""The log is taken out at the desk: a period, for an authority, or of one person with a reason.

It is made beside the requests (`gateway/flows/desk/making.py`), and fetched once, by who asked,
from the page of their exports.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any, Final

from aiohttp import web
from babel.numbers import format_decimal

from gateway.callers.desk_exports import LIFE, STANDING, Job, State
from gateway.desk import questions, seated, sessions
from gateway.desk.entrance import TAGS, brand
from gateway.desk.log_pages import DayQuery, log_page
from gateway.desk.people import READERS
from gateway.desk.questions import ExportAct, LogExport, PersonLog
from gateway.desk.seated import Fields
from gateway.errors import Invalid, NotFound
from gateway.flows.desk.fetching import AT_ONCE, Hindrance, Wanted
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Extent
from gateway.http import audit_files, fact_words, pages, turns
from gateway.http.app_keys import DESK_EXPORTS, TURNS
from gateway.http.endpoints import HTML, endpoint, page
from gateway.look import moments
from gateway.look.translations import translations

_FORMS: Final = tuple(str(one) for one in Form)
_EXTENTS: Final = tuple(str(one) for one in Extent)
_PATH: Final = "/dpo/exports"
_SOON: Final = 3  # seconds until the page is asked for again


@page(
    "POST",
    "/dpo/log/export",
    "Have the log, or a period of it, made a file; for an authority with its case number",
    form=LogExport,
    statuses=(303, 409, 422),
    tags=TAGS,
)
@seated.posts(*READERS)
async def export_log(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    """Without personal data; told in the log before the first byte is handed over."""
    try:
        wanted = _wanted(request, fields)
    except Invalid as error:
        problem = error.errors[0].pointer.strip("/")
        return await log_page(request, operator, DayQuery(), typed=fields, problem=problem)
    return await _begun(request, operator, await request.app[DESK_EXPORTS].ask(operator, wanted))


@page(
    "POST",
    "/dpo/log/person",
    "Have what the log holds of a person made a file; told in their audit trail",
    form=PersonLog,
    statuses=(303, 409),
    tags=TAGS,
)
@seated.posts(*READERS)
async def export_person(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    subject, why = questions.about(fields)
    form, locale = Form(questions.one_of(fields, "format", *_FORMS)), pages.locale_of(request)
    wanted = Wanted(form, locale, subject=subject, why=why)
    return await _begun(request, operator, await request.app[DESK_EXPORTS].ask(operator, wanted))


@page(
    "GET", _PATH, "Exports that were asked for, and how far each is", statuses=(200, 303), tags=TAGS
)
@seated.watches(*READERS)
async def show_exports(request: web.Request, operator: Operator) -> web.StreamResponse:
    return await _exports_page(request, operator)


@endpoint(
    "POST",
    _PATH,
    summary="Fetch an export, once; cancel it, or have it made again",
    responses={200: audit_files.MEDIA, 303: None, 409: HTML, 410: HTML},
    form=ExportAct,
    people=True,
    tags=TAGS,
)
@seated.posts(*READERS)
async def act_on_export(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    """Of their own alone: of another operator's nobody learns that there is one."""
    exports, name = request.app[DESK_EXPORTS], questions.subject_of(fields, "export")
    wish = questions.one_of(fields, "do", "fetch", "cancel", "again")
    if await exports.one(operator, name) is None:
        raise NotFound
    if wish == "again":
        return await _begun(request, operator, await exports.again(operator, name))
    if wish == "cancel":
        await exports.cancel(operator, name)
        return _to_page(request)
    async with request.app[TURNS].place():
        job = await exports.fetch(operator, name)
        if job is None:
            return await _exports_page(request, operator, 410, wanted=name)
        headers = audit_files.headers(Form(job.facts["format"])) | {"Content-Length": str(job.size)}
        try:
            return await turns.stream(request, exports.pieces(job), headers)
        finally:
            await exports.close(job)


async def _begun(
    request: web.Request, operator: Operator, begun: Job | Hindrance | None
) -> web.StreamResponse:
    if begun is None:
        raise NotFound
    if isinstance(begun, Hindrance):
        return await _exports_page(request, operator, 409, problem=begun)
    return _to_page(request)


def _to_page(request: web.Request) -> web.Response:
    where = f"{_PATH}?locale={pages.locale_of(request)}"
    return web.Response(status=303, headers={"Location": where, **pages.page_headers("")})


async def _exports_page(
    request: web.Request,
    operator: Operator,
    status: int = 200,
    *,
    problem: Hindrance | None = None,
    wanted: str | None = None,
) -> web.Response:
    """Each of theirs; *problem*: why nothing was begun, *wanted*: which was not there to fetch."""
    listed, locale = await request.app[DESK_EXPORTS].of(operator), pages.locale_of(request)
    shown = [_shown(one, one.fetchable(listed.at), locale) for one in listed.jobs]
    waits = any(one.state in (State.WAITS, State.MAKING) for one in listed.jobs)
    still = request.query.get("still") == "yes"
    answer = pages.response(
        request,
        "desk_exports",
        status,
        brand=brand(request),
        exports=shown,
        waits=waits,
        still=still,
        problem=problem,
        most=AT_ONCE,
        missed=next((one for one in shown if one["id"] == wanted), None),
        who=operator.name,
        csrf=sessions.csrf(request, operator),
    )
    if waits and not still and status == 200:
        # What a meta element would say, and whoever reads slowly can turn it off (WCAG 2.2.1).
        # Without a place in the page, which a browser would go to instead of asking.
        answer.headers["Refresh"] = f"{_SOON}; url={_PATH}?locale={locale}"
    return answer


def _shown(job: Job, fetchable: bool, locale: str) -> dict[str, Any]:
    said, words = job.facts, translations(locale)
    name = fact_words.FILES[said["format"]]
    state = State.OVER if job.state is State.READY and not fetchable else job.state
    done = min(job.done, job.whole)  # a paper goes through them more often
    return {
        "id": job.id,
        "what": said["scope"],
        "case": said.get("case"),
        "days": [_day(said[name], locale) if name in said else None for name in ("since", "until")],
        "file": words.gettext(name),
        "asked_at": job.asked_at,
        "state": str(state),
        "reason": job.reason,
        "done": done,
        "whole": job.whole,
        "said": {"done": _number(done, locale), "whole": _number(job.whole, locale)},
        "megabytes": _number(job.size / 1_000_000, locale),
        "until": None if job.ended_at is None else job.ended_at + LIFE,
        "fetched_at": job.fetched_at,
        "stands": state in STANDING,
    }


def _number(value: float, locale: str) -> str:
    return format_decimal(round(value, 1), locale=locale.replace("-", "_"))


def _day(said: str, locale: str) -> str:
    return moments.day(datetime.combine(date.fromisoformat(said), time(), UTC), locale)


def _wanted(request: web.Request, fields: Fields) -> Wanted:
    """Whole days, both of them in it; raises `Invalid`."""
    form = Form(questions.one_of(fields, "format", *_FORMS))
    extent = Extent(questions.one_of(fields, "scope", *_EXTENTS))
    case = questions.case_of(fields)
    first, last = (questions.day_of(fields, name) for name in ("since", "until"))
    if first is not None and last is not None and last < first:
        raise Invalid.at("/until", "must not be before the first day")
    audit_files.check(form, extent, case)
    return Wanted(form, pages.locale_of(request), extent, case, first, last)


ROWS: Final = (export_log, export_person, show_exports, act_on_export)
