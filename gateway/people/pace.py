"""A person pauses the mails they agreed to, or has fewer of them; in their own session."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from consent.fresh_links import Session
from gateway.errors import Invalid
from gateway.flows.rights import pace
from gateway.flows.rights.pace import Apart, Paces
from gateway.http import pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.people import sessions
from gateway.people.own_pages import OWN, START, brand, posted, see_other
from gateway.people.page_models import PaceAnswer

_PATH: Final = "/my-data/pace"
_MONTHS: Final = {"none": 0, "1": 1, "3": 3, "6": 6}


@page("GET", _PATH, "Pause the mails, or have fewer", statuses=(200, 303), tags=OWN)
async def show_pace(request: web.Request) -> web.StreamResponse:
    """What was chosen, and what can be."""
    return await _page(request, await sessions.current(request), saved=False)


@page(
    "POST",
    _PATH,
    "Pause for some months, or end that; have mails far apart, or not",
    form=PaceAnswer,
    statuses=(200, 303),
    tags=OWN,
)
async def choose_pace(request: web.Request) -> web.StreamResponse:
    """What is not said stays; consents stand whatever is said."""
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    pause, apart = fields.get("pause", "keep"), fields.get("apart")
    if pause not in {"keep", *_MONTHS}:
        raise Invalid.at("", "must say how long to pause")
    if apart is not None and apart not in _offered(request):
        raise Invalid.at("", "must say how far apart mails come")
    chosen = None if apart is None else Apart(apart)
    await _paces(request).choose(session.subject, _MONTHS.get(pause), chosen)
    return await _page(request, session, saved=True)


def _paces(request: web.Request) -> Paces:
    parts = request.app[PARTS]
    return Paces(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        parts.permit_wait,
        parts.config,
    )


def _offered(request: web.Request) -> list[str]:
    """No longer than it is kept when mails went: else nobody could keep to it."""
    kept = request.app[PARTS].config.retention.messages
    return [one for one in Apart if (pace.LENGTHS[one] or timedelta()) <= kept]


async def _page(
    request: web.Request, session: Session | None, *, saved: bool
) -> web.StreamResponse:
    seen = None if session is None else await _paces(request).look(session.subject)
    if session is None or seen is None:
        return see_other(START, request)
    return pages.response(
        request,
        "my_data_pace",
        brand=brand(request),
        paused_until=seen.paused_until,
        apart=pace.apart_of(seen),
        offered=_offered(request),
        saved=saved,
        csrf=sessions.csrf(request, session),
    )
