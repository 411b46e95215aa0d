"""The desk's door: ask for a link, press its button, leave. Without a session nobody is told more.

Whether a mailbox is an operator's is not looked at before the answer, as with a person's own link.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from consent import address, tokens
from consent.errors import AddressError
from consent.intakes import IntakeKind
from gateway.callers.operators import Role
from gateway.desk import sessions
from gateway.desk.questions import Signed
from gateway.errors import NotFound, TooMany
from gateway.flows.desk.sitting import Operator
from gateway.flows.rights import fresh_link
from gateway.http import pages
from gateway.http.app_keys import DESK, PARTS, PROVIDER
from gateway.http.endpoints import page
from gateway.http.fields import MailAddress
from gateway.http.frame import LINK
from gateway.http.networks import client_network
from gateway.http.pages import Brand
from gateway.http.parsing import read_fields
from gateway.oidc.errors import ProviderAway
from gateway.watch import logs

START: Final = "/dpo/"
TAGS: Final = ("data protection officer",)
_LINK: Final = f"/dpo/link/{{{LINK}:[\\s\\S]+}}"


class SignInQuestion(BaseModel):
    """Whose mailbox; the answer is the same whether it is an operator's or not."""

    email: MailAddress


def brand(request: web.Request) -> Brand:
    """Its times are by UTC, as those are by which the log is asked."""
    return replace(Brand.neutral(request.app[PARTS].config), zone=UTC)


def see_other(request: web.Request) -> web.Response:
    """Back to the start, in the language that was chosen."""
    chosen = f"?locale={pages.locale_of(request)}" if "locale" in request.query else ""
    return web.Response(status=303, headers={"Location": START + chosen, **pages.page_headers("")})


@page("GET", "/dpo/", "The desk; without a session: how to sign in", tags=TAGS)
async def show_desk(request: web.Request) -> web.StreamResponse:
    """Where one begins: to look for a person, or to sign in."""
    operator = await sessions.current(request)
    if operator is None:
        return await ask_page(request)
    return start_page(request, operator)


@page(
    "POST",
    "/dpo/sign-in",
    "Send a link to an operator's mailbox; the same answer whosever it is",
    form=SignInQuestion,
    statuses=(200, 422),
    tags=TAGS,
)
async def ask(request: web.Request) -> web.StreamResponse:
    sessions.require_same_site(request)
    parts, fields = request.app[PARTS], await read_fields(request)
    typed = fields.get("email", "")
    try:
        email = address.parse(typed)
    except AddressError:
        return await ask_page(request, typed, "email_invalid" if typed.strip() else "email_missing")
    network = client_network(request, parts.config.server.trusted_proxies)
    wait = await fresh_link.accept(parts, email, network, IntakeKind.SIGN_IN)
    if wait is not None:
        raise TooMany(wait.how_long)
    return pages.response(request, "desk_asked", brand=brand(request))


@page("GET", _LINK, "A link to the desk: one button", statuses=(200, 410), tags=TAGS)
async def show_link(request: web.Request) -> web.StreamResponse:
    """One button, while the link can be used. Looking does not use it."""
    if not await request.app[DESK].can_open(_token(request)):
        return await ask_page(request, over=True)
    return pages.response(request, "desk_open", brand=brand(request))


@page("POST", _LINK, "Spend a link and open a session", statuses=(303, 410), tags=TAGS)
async def open_link(request: web.Request) -> web.StreamResponse:
    sessions.require_same_site(request)
    raw = await request.app[DESK].open(_token(request))
    if raw is None:
        return await ask_page(request, over=True)
    response = see_other(request)
    sessions.give(request, response, raw)
    return response


@page("POST", "/dpo/leave", "End the session", form=Signed, statuses=(303,), tags=TAGS)
async def leave(request: web.Request) -> web.StreamResponse:
    """End the session at once, on this machine and wherever its cookie went."""
    found = await sessions.posted(request, *Role)
    raw = sessions.raw_id(request)
    if found is not None and raw is not None:
        await request.app[DESK].leave(found[0], raw)
    response = see_other(request)
    sessions.take(request, response)
    return response


def start_page(
    request: web.Request,
    operator: Operator,
    *,
    email: str = "",
    why: str = "",
    problem: str | None = None,
    erasure: str | None = None,
) -> web.Response:
    """Where one begins; *problem*: why nobody is shown, *erasure*: the one that just began."""
    return pages.response(
        request,
        "desk",
        422 if problem in ("email", "why") else 200,
        brand=brand(request),
        operator=operator.name,
        role=operator.role,
        ends_at=operator.session.ends_at,
        email=email,
        why=why,
        problem=problem,
        erasure=erasure,
        csrf=sessions.csrf(request, operator),
    )


async def ask_page(
    request: web.Request, email: str = "", problem: str | None = None, *, over: bool = False
) -> web.Response:
    """Where one asks for a link; *over*: one was followed that opens nothing any more.

    Its form for the identity provider leads there: the browser has to be told so.
    """
    provider, origin = request.app.get(PROVIDER), await _origin(request)
    return pages.response(
        request,
        "desk_ask",
        410 if over else 200 if problem is None else 422,
        form_targets=[] if origin is None else [origin],
        brand=brand(request),
        email=email,
        problem=problem,
        over=over,
        provider=None if provider is None else provider.ours.name,
        answers=origin is not None,
    )


async def _origin(request: web.Request) -> str | None:
    """Where the identity provider asks who somebody is; None where there is none, or it is away."""
    if PROVIDER not in request.app:
        return None
    try:
        return (await request.app[PROVIDER].known()).described.origin
    except ProviderAway as error:
        logs.event("desk.provider_away", why=error.why)
        return None


def _token(request: web.Request) -> str:
    token = tokens.cut_out(request.match_info[LINK])
    if tokens.hash_of(token) is None:
        raise NotFound
    return token


ROWS: Final = (show_desk, ask, show_link, open_link, leave)
