"""The pages behind the links in our mails. Looking changes nothing; only POST acts."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from multidict import MultiDictProxy

from consent.links import Route
from gateway.errors import Invalid, NotFound, RequestError, TooMany
from gateway.flows.leaving import all_of_sender, preferences
from gateway.flows.leaving import stop as stopping
from gateway.flows.leaving.preferences import PurposeSeen, Switched
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.http import pages
from gateway.http.app_keys import PARTS, WITHDRAWALS, WORDINGS
from gateway.http.endpoints import page
from gateway.http.networks import client_network
from gateway.http.pages import Brand
from gateway.http.parsing import read_fields
from gateway.limits import Wait
from gateway.look.markdown import to_html
from gateway.people import again, links, wording
from gateway.people.page_models import OneClick, PreferencesAnswer
from gateway.people.spoken import speak_to
from storage.errors import StorageAway

_LINKS = ("recipients, by link",)
_HASH = len("sha256:") + 64
_ONE_CLICK = "List-Unsubscribe"
_require_token = links.require_token


@page("GET", f"/unsubscribe/{links.ANY}", "One button", tags=_LINKS)
async def show_unsubscribe(request: web.Request) -> web.StreamResponse:
    """One button; says for which mails, where the link is one of ours."""
    left = await again.left(request, _require_token(request))
    brand = _brand(request)
    return pages.response(request, "unsubscribe", brand=brand, named=left.named, over=left.over)


@page(
    "POST",
    f"/unsubscribe/{links.ANY}",
    "Withdraw; answered when nothing for it can start any more",
    form=OneClick,
    tags=_LINKS,
)
async def unsubscribe(request: web.Request) -> web.StreamResponse:
    """Withdraw: by the button, or by the mail program's one click (RFC 8058).

    Any body will do, also none: the link alone says what is meant. Answered
    with 200 only when nothing can be sent any more, else with 503.
    """
    token = _require_token(request)
    fields = await _fields(request)
    if fields.get("scope") == "sender":
        await _leave_sender(request, token)
    else:
        channel = "one-click" if _ONE_CLICK in fields else "unsubscribe-page"
        await request.app[WITHDRAWALS].by_link(token, channel)
    left = await again.left(request, token)
    return pages.response(
        request,
        "unsubscribed",
        brand=_brand(request),
        named=left.named,
        acknowledged=left.acknowledged,
        again_url=left.again_url,
    )


async def _leave_sender(request: web.Request, token: str) -> None:
    parts, withdrawals = request.app[PARTS], request.app[WITHDRAWALS]
    purposes = parts.config.purposes
    await all_of_sender.by_link(
        parts.data, parts.rows, purposes, withdrawals, token, "unsubscribe-page"
    )


@page("GET", f"/stop/{links.ANY}", "No more such service mails: one button", tags=_LINKS)
async def show_stop(request: web.Request) -> web.StreamResponse:
    """One button; the same page for every link, known or not, but for its language."""
    await _speak_by_stop_link(request, _require_token(request))
    return _stop_page(request, "stop")


@page(
    "POST",
    f"/stop/{links.ANY}",
    "No confirmation mail and no fresh link to this mailbox for twelve months",
    tags=_LINKS,
)
async def stop(request: web.Request) -> web.StreamResponse:
    """Stop confirmation mails and fresh links to the mailbox of the link; consents stand."""
    token, parts = _require_token(request), request.app[PARTS]
    await _speak_by_stop_link(request, token)
    await stopping.stop(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.rows,
        SameMailbox(parts.keyring.suppression, parts.lookup),
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.log.macs,
        token,
    )
    return _stop_page(request, "stopped")


async def _speak_by_stop_link(request: web.Request, token: str) -> None:
    parts = request.app[PARTS]
    try:
        subject = await stopping.whose(parts.data, parts.clock, token)
    except StorageAway:
        return  # the page itself needs no storage
    if subject is not None:
        await speak_to(request, subject)


def _stop_page(request: web.Request, name: str) -> web.Response:
    contact = request.app[PARTS].config.controller.contact
    return pages.response(request, name, brand=_brand(request), contact=contact)


async def _fields(request: web.Request) -> Mapping[str, str] | MultiDictProxy[str]:
    """What was posted, as far as it can be read: an odd body must not stop anybody from leaving."""
    try:
        return await read_fields(request)
    except RequestError:
        return {}


@page("GET", f"/why/{links.ANY}", "Why a mail came", tags=_LINKS)
async def show_why(request: web.Request) -> web.StreamResponse:
    """Who writes, for what, with which wording; neutral for a link that nobody has."""
    seen = await _look(request, Route.WHY)
    consents, on = [], False
    if seen is not None and seen.agreed:
        consents, on = [wording.shown(seen.text, seen.purpose)], seen.on
    return pages.response(
        request,
        "why",
        brand=_brand(request),
        consents=consents,
        on=on,
        fresh=False,
        fresh_url=f"/my-data?locale={pages.locale_of(request)}",
    )


@page("GET", f"/preferences/{links.ANY}", "The switch of one purpose", tags=_LINKS)
async def show_preferences(request: web.Request) -> web.StreamResponse:
    """This purpose's switch."""
    seen = await _look(request, Route.PREFERENCES)
    return _preferences_page(request, seen, switched=None)


@page(
    "POST",
    f"/preferences/{links.ANY}",
    "Switch one purpose; on asks the mailbox first",
    form=PreferencesAnswer,
    tags=_LINKS,
)
async def change_preferences(request: web.Request) -> web.StreamResponse:
    """`purpose.<name>=on|off`; a purpose that the link is not about is not looked at."""
    parts = request.app[PARTS]
    _require_token(request)  # before the body: what can be no link of ours has no page
    fields = await read_fields(request)
    seen = await _look(request, Route.PREFERENCES)
    said = None if seen is None else fields.get(f"purpose.{seen.purpose}")
    switched = Switched()
    if seen is not None and said in ("on", "off"):
        network = client_network(request, parts.config.server.trusted_proxies)
        withdrawals = request.app[WITHDRAWALS]
        became = await preferences.switch(parts, withdrawals, seen, said == "on", network)
        if isinstance(became, Wait):
            raise TooMany(became.how_long)
        switched = became
        seen = await _look(request, Route.PREFERENCES)
    elif seen is not None:
        raise Invalid.at("", "must say on or off")
    return _preferences_page(request, seen, switched=switched)


async def _look(request: web.Request, route: Route) -> PurposeSeen | None:
    return await again.look(request, route, _require_token(request))


def _preferences_page(
    request: web.Request, seen: PurposeSeen | None, *, switched: Switched | None
) -> web.Response:
    purposes = []
    if seen is not None and seen.asked:
        asked = switched is not None and seen.purpose in switched.on
        waiting = seen.waiting or (asked and not seen.on)
        state = {"purpose": seen.purpose, "on": seen.on, "waiting": waiting}
        purposes = [{**wording.shown(seen.text, seen.purpose), **state}]
    return pages.response(
        request,
        "preferences",
        brand=_brand(request),
        purposes=purposes,
        switched=switched,
        fresh=False,
        fresh_url=f"/my-data?locale={pages.locale_of(request)}",
        csrf=None,
    )


@page("GET", "/", "Who mails from here, and how to leave", tags=_LINKS)
async def show_about(request: web.Request) -> web.StreamResponse:
    """Who mails from here and how to leave, for whoever cuts the end off a link."""
    config = request.app[PARTS].config
    contact = config.controller.contact
    return pages.response(request, "about", brand=_brand(request), contact=contact)


@page("GET", "/notices/{hash:[\\s\\S]+}", "A privacy notice", tags=("landing pages",))
async def show_notice(request: web.Request) -> web.StreamResponse:
    """One version of the privacy notice, by its hash, in its language; it stays what it was.

    With `?format=markdown` the very bytes that the hash is of. What was copied
    along behind the hash is cut off, as of every link.
    """
    found = await request.app[WORDINGS].notice(request.match_info["hash"][:_HASH])
    if found is None:
        raise NotFound
    if request.query.get("format") == "markdown":
        return web.Response(body=found.body, content_type="text/markdown", charset="utf-8")
    pages.speak(request, found.locale)
    return pages.response(
        request,
        "notice",
        brand=_brand(request),
        body=to_html(found.body.decode()),
        notice_locale=found.locale,
        notice_hash=found.hash,
        published_at=found.published_at,
    )


def _brand(request: web.Request) -> Brand:
    return Brand.neutral(request.app[PARTS].config)
