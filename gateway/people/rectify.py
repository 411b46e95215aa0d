"""A person corrects what is kept of them, in their session; and the links about their address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from multidict import MultiDictProxy

from consent import address
from consent.errors import AddressError
from consent.fresh_links import Session
from consent.moving import Became
from gateway.config.form_fields import FormField, several
from gateway.errors import Invalid, TooMany
from gateway.flows.rights.move import Moving
from gateway.flows.rights.rectify import Rectifying
from gateway.http import form_answers, pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.networks import client_network
from gateway.look.field_words import control
from gateway.people import links, sessions
from gateway.people.own_pages import OWN, START, brand, posted, see_other
from gateway.people.page_models import RectificationAnswer, corrections_of
from gateway.people.spoken import speak_to

_PATH: Final = "/my-data/rectify"
_LINK: Final = f"/address/{links.ANY}"
_UNASKED: Final = FormField(max_length=1000)  # an answer that no form asks for any more


@page("GET", _PATH, "Correct one's details", statuses=(200, 303), tags=OWN)
async def show_details(request: web.Request) -> web.StreamResponse:
    """What stands, to be corrected; and another address, to be asked for."""
    return await _page(request, await sessions.current(request))


@page(
    "POST",
    _PATH,
    "Correct answers at once, or ask for another address; alike whosever that is",
    form=RectificationAnswer,
    statuses=(200, 303, 422),
    tags=OWN,
)
async def rectify(request: web.Request) -> web.StreamResponse:
    """Art. 16 GDPR. What is not said stays; of an address the answer does not depend on it."""
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    match fields.get("answer"):
        case "profile":
            return await _correct(request, session, fields)
        case "address":
            return await _ask(request, session, fields.get("email", ""))
        case _:
            raise Invalid.at("", "must say profile or address")


@page("GET", _LINK, "A link about one's address: one button", statuses=(200, 410), tags=OWN)
async def show_address(request: web.Request) -> web.StreamResponse:
    """One button, while the link can be used. Looking does not use it."""
    parts = request.app[PARTS]
    link = await Moving(parts).look(links.token_of(request))
    if link is None:
        return _done(request, Became.OVER)
    await speak_to(request, link.subject)
    controller = parts.config.controller.name
    return pages.response(
        request, "address", brand=brand(request), towards=link.kind, controller=controller
    )


@page(
    "POST",
    _LINK,
    "Have one's mails sent there, or keep the address of before",
    statuses=(200, 410),
    tags=OWN,
)
async def press_address(request: web.Request) -> web.StreamResponse:
    """Answered when no mail to an address that is not on file any more can start."""
    sessions.require_same_site(request)
    moving, token = Moving(request.app[PARTS]), links.token_of(request)
    link, became = await moving.look(token), await moving.press(token)
    if link is not None and became is not Became.OVER:
        await speak_to(request, link.subject)
    return _done(request, became)


def _done(request: web.Request, became: Became) -> web.Response:
    contact = request.app[PARTS].config.controller.contact
    status = 410 if became is Became.OVER else 200
    return pages.response(
        request, "address_done", status, brand=brand(request), became=became, contact=contact
    )


async def _correct(
    request: web.Request, session: Session, fields: MultiDictProxy[str]
) -> web.StreamResponse:
    flow = Rectifying(request.app[PARTS])
    seen = await flow.look(session.subject)
    if seen is None:
        return see_other(START, request)
    known = _questions(request, seen.profile)
    said = corrections_of(fields, several(known)).profile
    corrected, problems = form_answers.read_corrections(known, said, seen.profile)
    if problems:
        raise Invalid(problems)
    language = fields.get("language", seen.locale)
    if language not in (*pages.languages(), seen.locale):
        raise Invalid.at("", "must say a language of these pages")
    await flow.correct(session.subject, corrected, language)
    pages.speak(request, language)
    return await _page(request, session, did="profile")


async def _ask(request: web.Request, session: Session, typed: str) -> web.StreamResponse:
    try:
        email = address.parse(typed)
    except AddressError:
        problem = "email_invalid" if typed.strip() else "email_missing"
        return await _page(request, session, 422, typed=typed, problem=problem)
    parts = request.app[PARTS]
    flow = Rectifying(parts)
    seen = await flow.look(session.subject)
    if seen is not None and seen.email == email.mailbox:  # which these pages show them anyway
        return await _page(request, session, 422, typed=typed, problem="email_present")
    network = client_network(request, parts.config.server.trusted_proxies)
    wait = await flow.ask(session.subject, email, network)
    if wait is not None:
        raise TooMany(wait.how_long)
    return await _page(request, session, did="address")


async def _page(
    request: web.Request,
    session: Session | None,
    status: int = 200,
    *,
    typed: str = "",
    problem: str | None = None,
    did: str | None = None,
) -> web.StreamResponse:
    flow = Rectifying(request.app[PARTS])
    seen = None if session is None else await flow.look(session.subject)
    if session is None or seen is None:
        return see_other(START, request)
    return pages.response(
        request,
        "my_data_rectify",
        status,
        brand=brand(request),
        email=seen.email,
        language=seen.locale,
        languages=list(dict.fromkeys([*pages.languages(), seen.locale])),
        fields=_fields(request, seen.profile),
        typed=typed,
        problem=problem,
        did=did,
        csrf=sessions.csrf(request, session),
    )


def _fields(request: web.Request, profile: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a form was told, as the form asks for it."""
    locale = pages.locale_of(request)
    known = _questions(request, profile)
    return [control(known[name], name, locale, value) for name, value in profile.items()]


def _questions(request: web.Request, profile: Mapping[str, str]) -> dict[str, FormField]:
    config = request.app[PARTS].config
    return {name: config.field_named(name) or _UNASKED for name in profile}
