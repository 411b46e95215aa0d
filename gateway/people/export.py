"""A person takes along what is held about them (Art. 15 and 20 GDPR), in their own session."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from aiohttp import web

from gateway.errors import Invalid, TooMany
from gateway.flows.rights import handing_out
from gateway.flows.rights.handing_out import HandingOut
from gateway.http import handed_out, pages, turns
from gateway.http.app_keys import EXPORTS, PARTS, TURNS, TYPESETTER
from gateway.http.endpoints import HTML, Media, endpoint
from gateway.http.handed_out import TYPES, Form
from gateway.http.typesetter import PDF
from gateway.people.own_pages import OWN, START, posted, see_other
from gateway.people.page_models import ExportAnswer

_FILES: Final = (Media("application/json"), HTML, Media(PDF))


@endpoint(
    "POST",
    "/my-data/export",
    summary="Everything held about oneself as a file: format=json, html or pdf",
    responses={200: _FILES, 303: None},
    form=ExportAnswer,
    people=True,
    tags=OWN,
)
async def export(request: web.Request) -> web.StreamResponse:
    """Told in the log, with how long it took, before it is answered."""
    begun = time.monotonic()
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    form = _form(fields.get("format", Form.JSON))
    parts, locale = request.app[PARTS], pages.locale_of(request)
    if parts.config.limits.enabled:
        wait = request.app[EXPORTS].count(session.id_hash.hex(), parts.clock.wall())
        if wait is not None:
            raise TooMany(wait.how_long)
    typesetter = request.app[TYPESETTER]
    write = handed_out.writer(form, parts.config, locale, typesetter)
    asked = handing_out.by_the_person(form, lambda: timedelta(seconds=time.monotonic() - begun))
    async with request.app[TURNS].place():
        async with request.app[TURNS].making:
            handed, as_paper = HandingOut(parts, typesetter.aside), form is not Form.JSON
            body = await handed.of(session.subject, asked, write, as_paper=as_paper)
        if body is None:
            return see_other(START, request)
        return await turns.hand_over(request, body, _headers(form))


def _form(said: str) -> Form:
    try:
        return Form(said)
    except ValueError:
        raise Invalid.at("/format", f"must be one of {', '.join(Form)}") from None


def _headers(form: Form) -> dict[str, str]:
    return {
        **pages.page_headers(""),
        "Content-Type": TYPES[form],
        "Content-Disposition": f'attachment; filename="my-data.{form}"',
    }
