"""The link of the mail that tells of a lifted stop: one button, which has it stand again."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.flows.rights.lifted_links import LiftedLinks
from gateway.http import pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.people import links, sessions
from gateway.people.own_pages import OWN, brand
from gateway.people.rights import stops_for
from gateway.people.spoken import speak_to

_LINK: Final = f"/stop-again/{links.ANY}"


@page("GET", _LINK, "What was lifted, and one button", statuses=(200, 410), tags=OWN)
async def show_lifted(request: web.Request) -> web.StreamResponse:
    """One button, while the link can be used. Looking does not use it."""
    link = await LiftedLinks(stops_for(request)).look(links.token_of(request))
    if link is None:
        return _done(request, None)
    await speak_to(request, link.subject)
    controller = request.app[PARTS].config.controller.name
    return pages.response(
        request,
        "stop_again",
        brand=brand(request),
        lifted=link.lifted,
        lifted_at=link.created_at,
        controller=controller,
    )


@page("POST", _LINK, "Have a lifted stop stand again", statuses=(200, 410), tags=OWN)
async def stop_again(request: web.Request) -> web.StreamResponse:
    """Answered when no mail that it stops can start any more."""
    sessions.require_same_site(request)
    lifted, token = LiftedLinks(stops_for(request)), links.token_of(request)
    link, stopped = await lifted.look(token), await lifted.press(token)
    if link is not None and stopped is not None:
        await speak_to(request, link.subject)
    return _done(request, stopped)


def _done(request: web.Request, stopped: str | None) -> web.Response:
    status = 410 if stopped is None else 200
    contact = request.app[PARTS].config.controller.contact
    return pages.response(
        request,
        "stop_again_done",
        status,
        brand=brand(request),
        stopped=stopped,
        contact=contact,
    )
