"""The audit log, taken out by HTTP: as a whole or of a time, and about one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from audit.errors import NoteError
from audit.kinds import Actor
from gateway.api import tries
from gateway.api.targets import ADA, Target
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid, NotPublished
from gateway.flows.errors import NoSuchExport
from gateway.flows.proving.export_forms import Export, Form
from gateway.flows.proving.exports import Exports, Extent, Taking
from gateway.flows.rights import handing_out
from gateway.flows.sending.permission import Question
from gateway.http import audit_files, pages, resuming, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import endpoint
from gateway.http.fields import CaseNumber, ExportName, Moment, PaperLocale, ZoneName, zone_named
from gateway.http.parsing import read_json, read_query
from gateway.http.reasons import reason_of

_PATH: Final = "/v1/audit/export"
EXAMPLE: Final[dict[str, Any]] = {**ADA, "format": "bundle"}

_ANOTHER: Final = (
    "is the name of an export that cannot be made any more, or of other parameters: leave it out"
)

_Note = Annotated[str, StringConstraints(max_length=16_384)]
_Format = Literal["bundle", "jsonl", "csv", "xlsx", "pdf"]


def _scope(raw: object) -> object:
    if raw == "person":
        raise ValueError("is period or authority; a person's is had by POST, with a reason")
    return raw


class ExportQuery(BaseModel):
    """The query string of an export; *case* stands in the log for ever, and must name nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: _Format = "bundle"
    scope: Annotated[Literal["period", "authority"], BeforeValidator(_scope)] = "period"
    since: Moment | None = None
    until: Moment | None = None
    zone: ZoneName | None = None
    locale: PaperLocale | None = None
    case: CaseNumber | None = None
    export: ExportName | None = None


class PersonExport(Target):
    """Whose; with the checkpoints that the reader kept, so that they can compare them."""

    format: _Format = "bundle"
    zone: ZoneName | None = None
    locale: PaperLocale | None = None
    checkpoints: Annotated[list[_Note], Field(max_length=20, default_factory=list)]


@endpoint(
    "GET",
    _PATH,
    summary="The log with its proofs, without personal data; told in it",
    query=ExportQuery,
    responses={200: audit_files.MEDIA, 206: audit_files.MEDIA},
    headers=resuming.PARAMETERS,
    scope=Scope.AUDIT_READ,
    tags=("audit",),
)
async def get_export(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    query = read_query(request, ExportQuery)
    taking = _taking(request, query)
    tries.require_a_turn(request)
    taken = _exports(request)
    async with request.app[TURNS].place():
        try:
            export = await taken.of_log(taking, name=query.export)
        except NoSuchExport:
            raise Invalid.at("/export", _ANOTHER) from None
        if export is None:
            raise NotPublished
        if export.order.form is Form.PDF:
            body = b"" if request.method == "HEAD" else await _paper(request, export, taking.case)
            if body:
                await taken.tell(export, taking)
            return await turns.hand_over(request, body, audit_files.headers(export.order.form))
        start = resuming.start_of(request, export.name, is_named=query.export is not None)
        rest = await resuming.rest(start, export.length, export.name)
        if isinstance(rest, web.Response):
            return rest
        headers = {**audit_files.headers(export.order.form), **rest.headers}
        if request.method == "HEAD":  # who only asks what there is takes nothing out
            return web.Response(headers=headers)
        await taken.tell(export, taking, rest.start)
        return await turns.stream(request, export.read(rest.start), headers, rest.status)


@endpoint(
    "POST",
    _PATH,
    summary="What the log holds of a person, opened, with its proofs; told in their audit trail",
    request=PersonExport,
    responses={200: audit_files.MEDIA},
    example=EXAMPLE,
    scope=Scope.SUBJECTS_READ,
    says_why=True,
    tags=("data protection officer",),
)
async def post_export(request: web.Request) -> web.StreamResponse:
    require_unbound(request)
    tries.require_a_turn(request)
    why = reason_of(request)
    said = await read_json(request, PersonExport)
    question, held = Question("", said.email, said.subject_id), said.checkpoints
    form, zone = Form(said.format), _zone(said.format, said.zone)
    if held and form not in (Form.BUNDLE, Form.PDF):
        raise Invalid.at("/checkpoints", "are compared in a bundle or a pdf: ask for one of them")
    _check_locale(form, said.locale)
    asked = handing_out.by_a_caller(request[CALLER].id, why)
    async with request.app[TURNS].place():
        try:
            export = await _exports(request).of_person(question, asked, form, held, zone)
        except NoteError:
            raise Invalid.at("/checkpoints", "has one that this log did not sign") from None
        if export is None:
            raise await tries.nobody(request)
        if form is Form.PDF:
            body = await _paper(request, export, None, held, said.locale)
            return await turns.hand_over(request, body, audit_files.headers(export.order.form))
        return await turns.stream(request, export.read(), audit_files.headers(export.order.form))


def _exports(request: web.Request) -> Exports:
    return Exports(request.app[PARTS], request.app[TYPESETTER].aside)


def _taking(request: web.Request, query: ExportQuery) -> Taking:
    """Who takes what; raises `Invalid` for what makes no sense together."""
    form, extent = Form(query.format), Extent(query.scope)
    audit_files.check(form, extent, query.case)
    _check_locale(form, query.locale)
    return Taking(
        form,
        Actor.API,
        request[CALLER].id,
        query.case,
        query.since,
        query.until,
        extent,
        _zone(query.format, query.zone),
    )


def _zone(form: str, name: str | None) -> Any:
    if name is not None and not Form(form).has_local_times:
        raise Invalid.at("/zone", "is for local times, which csv, xlsx and pdf have")
    return zone_named(name or "UTC")


def _check_locale(form: Form, locale: str | None) -> None:
    if locale is not None and form is not Form.PDF:
        raise Invalid.at("/locale", "is the language of a paper: ask for format pdf")


async def _paper(
    request: web.Request,
    export: Export,
    case: str | None,
    held: Sequence[str] = (),
    locale: str | None = None,
) -> bytes:
    """The report as PDF."""
    typesetter, config = request.app[TYPESETTER], request.app[PARTS].config
    language = pages.locale_of(request, locale)
    return await audit_files.paper(typesetter, config, export, language, case=case, held=held)
