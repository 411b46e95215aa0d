"""What every page of a person's own has in common: their session, and where they begin."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import MultiDictProxy

from consent.fresh_links import Session
from gateway.http import pages
from gateway.http.app_keys import PARTS
from gateway.http.pages import Brand
from gateway.http.parsing import read_fields
from gateway.people import sessions

START: Final = "/my-data"
OWN: Final = ("a person's own data",)


async def posted(request: web.Request) -> tuple[Session, MultiDictProxy[str]] | None:
    """The session, and what a form of this very session posted; None without a session.

    Raises `Forged` for the form of another one, or of another site.
    """
    session = await sessions.current(request)
    if session is None:
        return None
    fields = await read_fields(request)
    sessions.require_own(request, session, fields.get(sessions.CSRF_FIELD))
    return session, fields


def see_other(path: str, request: web.Request) -> web.Response:
    """Go on, in the language that was chosen, and say nowhere where from."""
    headers = {"Location": path + pages.chosen_of(request), **pages.page_headers("")}
    return web.Response(status=303, headers=headers)


def brand(request: web.Request) -> Brand:
    return Brand.neutral(request.app[PARTS].config)
