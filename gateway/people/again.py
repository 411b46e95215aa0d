"""Which mails a link lets leave, and "ask me again": a mistake is undone by the mailbox alone.

Whoever was forwarded a mail can press it. It sends a mail that asks to confirm, to the
mailbox on file, as seldom as `consent.link_meter` has it, and gives nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from consent import tokens
from consent.links import Route
from consent.sign_ups import ASK_AGAIN
from gateway.errors import Invalid, TooMany
from gateway.flows.leaving import preferences
from gateway.flows.leaving.preferences import PurposeSeen
from gateway.http import pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.networks import client_network
from gateway.http.pages import Brand
from gateway.http.parsing import read_fields
from gateway.people import links, wording
from gateway.people.page_models import AgainAnswer
from gateway.people.spoken import speak_to
from storage.errors import StorageAway

log = structlog.get_logger()

_LINKS = ("recipients, by link",)


@dataclass(frozen=True, slots=True)
class LeftMails:
    """What a page may say of the mails that an unsubscribe link lets leave."""

    named: Mapping[str, Any] | None = None  # none: the link is nobody's, or it cannot be told now
    acknowledged: bool = False  # a mail may tell of the withdrawal
    again_url: str | None = None
    over: bool = False  # no consent to them stands or waits


async def left(request: web.Request, token: str) -> LeftMails:
    """Which mails an unsubscribe link is about: as much as their other links show.

    Where that cannot be read nothing is said: leaving must not depend on it.
    """
    switch = tokens.derived(token, Route.PREFERENCES)
    if switch is None:
        return LeftMails()
    try:
        seen = await look(request, Route.PREFERENCES, switch)
    except StorageAway:
        log.warning("link_not_named")
        return LeftMails()
    if seen is None or not seen.asked:
        return LeftMails()
    purpose = request.app[PARTS].config.purposes.get(seen.purpose)
    return LeftMails(
        wording.shown(seen.text, seen.purpose),
        acknowledged=purpose is not None and purpose.acknowledge,
        again_url=f"/again/{switch}" if purpose is not None else None,
        over=seen.over,
    )


@page("GET", f"/again/{links.ANY}", "Ask me again: one button", tags=_LINKS)
async def show_again(request: web.Request) -> web.StreamResponse:
    """One button; says for which mails, where the link is one of ours."""
    seen = await look(request, Route.PREFERENCES, links.require_token(request))
    known = seen is not None and seen.asked
    return pages.response(
        request,
        "again",
        brand=_brand(request),
        named=wording.shown(seen.text, seen.purpose) if seen is not None and known else None,
        offered=seen is not None and seen.purpose in request.app[PARTS].config.purposes,
    )


@page(
    "POST",
    f"/again/{links.ANY}",
    "Send a mail that asks to confirm to the mailbox on file; the same answer whatever happened",
    form=AgainAnswer,
    statuses=(200, 422),
    tags=_LINKS,
)
async def ask_again(request: web.Request) -> web.StreamResponse:
    """`answer=again`, which only a button says: what a scanner posts by one click asks nothing."""
    parts, token = request.app[PARTS], links.require_token(request)
    fields = await read_fields(request)
    if fields.get("answer") != "again":
        raise Invalid.at("", "must say again")
    seen = await look(request, Route.PREFERENCES, token)
    if seen is not None:
        network = client_network(request, parts.config.server.trusted_proxies)
        wait = await preferences.ask(
            parts, seen.subject, [seen.purpose], network, client="again-link", form=ASK_AGAIN
        )
        if wait is not None:
            raise TooMany(wait.how_long)
    return pages.response(request, "again_asked", brand=_brand(request))


async def look(request: web.Request, route: Route, token: str) -> PurposeSeen | None:
    """What a link of a mail is about; the page speaks as the mails do of whom it is for."""
    parts = request.app[PARTS]
    seen = await preferences.look(parts.data, parts.clock, parts.consents, route, token)
    if seen is not None:
        await speak_to(request, seen.subject)
    return seen


def _brand(request: web.Request) -> Brand:
    return Brand.neutral(request.app[PARTS].config)
