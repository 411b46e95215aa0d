"""The audit log, taken out by HTTP: as a whole or of a time, and about one person."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from audit.errors import NoteError
from audit.kinds import Actor
from gateway.api import tries
from gateway.api.targets import ADA, Target
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid, NotPublished
from gateway.flows.proving.exports import Exports, Taking
from gateway.flows.rights import handing_out
from gateway.flows.sending.permission import Question
from gateway.http import turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.authentication import CALLER, require_unbound
from gateway.http.endpoints import Media, endpoint
from gateway.http.fields import CaseNumber, Moment
from gateway.http.parsing import read_json, read_query
from gateway.http.reasons import reason_of

_PATH: Final = "/v1/audit/export"
_TYPES: Final = {"bundle": "application/zip", "jsonl": "application/jsonl"}
EXAMPLE: Final[dict[str, Any]] = {**ADA, "format": "bundle"}

_Note = Annotated[str, StringConstraints(max_length=16_384)]


class ExportQuery(BaseModel):
    """The query string of an export; *case* stands in the log for ever, and must name nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bundle", "jsonl"] = "bundle"
    since: Moment | None = None
    until: Moment | None = None
    case: CaseNumber | None = None


class PersonExport(Target):
    """Whose; with the checkpoints that the reader kept, so that they can compare them."""

    format: Literal["bundle"] = "bundle"
    checkpoints: Annotated[list[_Note], Field(max_length=20, default_factory=list)]


@endpoint(
    "GET",
    _PATH,
    summary="The log with its proofs, without personal data; told in it",
    query=ExportQuery,
    responses={200: tuple(Media(kind) for kind in _TYPES.values())},
    scope=Scope.AUDIT_READ,
    tags=("audit",),
)
async def get_export(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ExportQuery)
    if query.format == "jsonl" and (query.since or query.until):
        raise Invalid.at("/format", "is the whole log as lines; of a time there is a bundle")
    if request.method == "HEAD":  # who only asks what there is takes nothing out
        return web.Response(headers=_headers(query.format))
    tries.require_a_turn(request)
    parts, aside = request.app[PARTS], request.app[TYPESETTER].aside
    caller, times = request[CALLER].id, (query.since, query.until)
    taking = Taking(query.format, Actor.API, caller, query.case, *times)
    exports = Exports(parts, aside)
    async with request.app[TURNS].place():
        if query.format == "jsonl":
            made = await exports.as_lines(taking)
        elif (bundle := await exports.of_log(taking)) is not None:
            made = bundle
        else:
            raise NotPublished
        return await turns.stream(request, made, _headers(query.format))


@endpoint(
    "POST",
    _PATH,
    summary="What the log holds of a person, opened, with its proofs; told in their audit trail",
    request=PersonExport,
    responses={200: Media(_TYPES["bundle"])},
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
    asked = handing_out.by_a_caller(request[CALLER].id, why)
    exports = Exports(request.app[PARTS], request.app[TYPESETTER].aside)
    async with request.app[TURNS].place():
        try:
            made = await exports.of_person(question, asked, held)
        except NoteError:
            raise Invalid.at("/checkpoints", "has one that this log did not sign") from None
        if made is None:
            raise await tries.nobody(request)
        return await turns.stream(request, made, _headers(said.format))


def _headers(form: str) -> dict[str, str]:
    ending = "zip" if form == "bundle" else form
    return {
        "Content-Type": _TYPES[form],
        "Content-Disposition": f'attachment; filename="audit.{ending}"',
        "Cache-Control": "no-store",
    }
