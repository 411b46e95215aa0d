"""A mail that somebody came with, dropped at the desk: ours under which permit, or why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Final

from aiohttp import web

from audit.kinds import Actor
from delivery import handed_in
from gateway.desk import questions, seated, sessions
from gateway.desk.entrance import TAGS, brand, see_other
from gateway.desk.people import READERS, file_headers
from gateway.desk.questions import MailQuestion
from gateway.errors import Forged, Invalid, WrongContentType
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving.consent_evidence import Opening
from gateway.flows.proving.defend import Defended
from gateway.http import defences, multipart, pages, turns
from gateway.http.app_keys import PARTS, TURNS, TYPESETTER
from gateway.http.defence_forms import Answered, Answering
from gateway.http.defence_paper import permitted
from gateway.http.endpoints import Media, endpoint, page
from gateway.http.multipart import NotMultipart
from gateway.http.parsing import read_bytes
from gateway.http.typesetter import PDF

_ZIP: Final = "application/zip"
_FIELDS: Final = 64 * 1024  # beside the mail
_PATIENCE: Final = 120.0  # seconds in which the largest mail arrives over a bad line


@dataclass(frozen=True, slots=True)
class Upload:
    """What was posted: text by its name, and the file."""

    said: dict[str, str] = field(repr=False)
    mail: bytes = field(repr=False)


@page("GET", "/dpo/defence", "Where a mail is dropped to be defended", tags=TAGS)
@seated.reads(*READERS)
async def show_defence(request: web.Request, operator: Operator) -> web.StreamResponse:
    return _page(request, operator, None)


@endpoint(
    "POST",
    "/dpo/defence",
    summary="Whether a mail is ours, under which permit and consent; told in the person's trail",
    responses={200: (Media("text/html"), Media(PDF), Media(_ZIP)), 303: None, 422: None},
    form=MailQuestion,
    people=True,
    tags=TAGS,
)
async def defend(request: web.Request) -> web.StreamResponse:
    """The answer on a page, or as the file whose button was pressed; the mail is not kept."""
    operator = await sessions.current(request)
    if operator is None:
        return see_other(request)
    _require(operator.role in READERS)
    sessions.require_same_site(request)
    async with request.app[TURNS].place():
        upload = await _read(request)
        said = upload.said
        # Again: who was revoked while the mail was on its way does nothing any more.
        operator = await sessions.current(request)
        if operator is None:
            return see_other(request)
        given = said.get("csrf", "").encode(errors="surrogatepass")
        _require(compare_digest(given, sessions.csrf(request, operator).encode()))
        why = questions.line(said.get("why", ""))
        if why is None or not upload.mail:
            return _page(request, operator, None, "why" if why is None else "mail", said)
        opening = Opening(Actor.OPERATOR, why, operator=operator.id, name=operator.name)
        answering = Answering(request.app[PARTS], request.app[TYPESETTER], opens_locked=False)
        async with request.app[TURNS].making:
            made = await answering.of(upload.mail, opening, pages.locale_of(request))
        if said.get("format") == "zip":
            headers = file_headers("defence.zip", _ZIP)
            return await turns.stream(request, await made.bundle(), headers)
        if said.get("format") == "pdf":
            headers = file_headers("defence.pdf", PDF)
            return await turns.hand_over(request, await made.pdf(), headers)
    return _page(request, operator, made, said=said)


async def _read(request: web.Request) -> Upload:
    """The form, read whole up to its limit, and taken apart where it holds up nobody."""
    if request.content_type != "multipart/form-data":
        raise WrongContentType
    kind = request.headers["Content-Type"]
    body = await read_bytes(request, most=handed_in.MOST + _FIELDS, patience=_PATIENCE)
    try:
        return await request.app[TYPESETTER].aside(lambda: _taken_apart(body, kind))
    except NotMultipart:
        raise Invalid.at("", "is not a well-formed form") from None


def _taken_apart(body: bytes, kind: str) -> Upload:
    parts = multipart.parts(body, kind)
    said = {
        one.name.decode(errors="replace"): one.content.decode(errors="replace")
        for one in parts
        if not one.is_file
    }
    mails = [one.content for one in parts if one.is_file and one.name == b"mail"]
    return Upload(said, mails[0] if mails else b"")


def _page(
    request: web.Request,
    operator: Operator,
    made: Answered | None,
    problem: str | None = None,
    said: dict[str, str] | None = None,
) -> web.Response:
    """Where a mail is dropped; *made*: what was found of one."""
    why = (said or {}).get("why", "")
    return pages.response(
        request,
        "desk_defence",
        422 if problem else 200,
        brand=brand(request),
        found=None if made is None else _found(made),
        why=why,
        problem=problem,
        csrf=sessions.csrf(request, operator),
    )


def _found(made: Answered) -> dict[str, Any]:
    """What it comes to, in sentences, and whose mail it was where they are here."""
    found = made.found
    live = isinstance(found, Defended) and not found.erased
    return {
        "ours": isinstance(found, Defended),
        "meaning": list(defences.meaning(found, made.locale)),
        "allowed": permitted(found, made.config, made.locale)
        if isinstance(found, Defended)
        else [],
        "case": found.case if isinstance(found, Defended) else None,
        "subject": found.subject if isinstance(found, Defended) and live else None,
        "to_its_address": found.to_its_address if isinstance(found, Defended) else None,
    }


def _require(fits: bool) -> None:
    if not fits:
        raise Forged


ROWS: Final = (show_defence, defend)
