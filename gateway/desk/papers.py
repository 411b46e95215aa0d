"""Papers of the running gateway at the desk: each as a page to print, and as PDF.

They are about nobody: every role reads them.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.callers.operators import Role
from gateway.desk import seated
from gateway.desk.entrance import TAGS, brand
from gateway.desk.people import file_headers
from gateway.flows.desk.sitting import Operator
from gateway.http import live_papers, pages
from gateway.http.app_keys import PARTS, TYPESETTER
from gateway.http.endpoints import Media, endpoint, page
from gateway.http.live_papers import Live
from gateway.http.typesetter import PDF
from gateway.look.papers import Paper
from gateway.watch import running
from gateway.watch.running import Stores

_ONE: Final = f"/dpo/papers/{{name:{'|'.join(Live)}}}"


@page("GET", "/dpo/papers", "Papers of the running configuration", statuses=(200, 303), tags=TAGS)
@seated.reads(*Role)
async def list_papers(request: web.Request, operator: Operator) -> web.StreamResponse:
    return pages.response(request, "desk_papers", brand=brand(request))


@page("GET", _ONE, "One of the papers", statuses=(200, 303), tags=TAGS)
@seated.reads(*Role)
async def show_paper(request: web.Request, operator: Operator) -> web.StreamResponse:
    which, made = await _made(request)
    shown = made.document()
    return pages.response(
        request, "desk_paper", brand=brand(request), paper=shown, which=str(which)
    )


@endpoint(
    "GET",
    f"{_ONE}.pdf",
    summary="One of the papers, as PDF",
    responses={200: Media(PDF), 303: None},
    people=True,
    tags=TAGS,
)
@seated.reads(*Role)
async def take_paper(request: web.Request, operator: Operator) -> web.StreamResponse:
    which, made = await _made(request)
    body = await request.app[TYPESETTER].pdf(made)
    return web.Response(body=body, headers=file_headers(f"{which}.pdf", PDF))


async def _made(request: web.Request) -> tuple[Live, Paper]:
    parts, which = request.app[PARTS], Live(request.match_info["name"])
    stores = Stores(parts.key_database, parts.guard, parts.rows, parts.clock, parts.log.first)
    now = await running.look(parts.config, stores)
    return which, live_papers.paper(which, parts.config, now, pages.locale_of(request))


ROWS: Final = (list_papers, take_paper, show_paper)
