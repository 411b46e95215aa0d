"""The desk's other door: an identity provider says who somebody is (OpenID Connect).

What comes back by GET changes nothing: a page with one button shows it, whose form this site
alone can have posted. Of an attempt nothing is kept here but in the cookie of its browser.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Network
from typing import Final

from aiohttp import web
from itsdangerous import BadSignature
from pydantic import BaseModel

from consent import tokens
from gateway.desk import sessions
from gateway.desk.entrance import START, TAGS, brand, see_other
from gateway.errors import NotFound, TooMany
from gateway.flows.desk import vouched
from gateway.flows.desk.vouched import Vouching, Why
from gateway.http import pages
from gateway.http.app_keys import CODE_TURNS, CODES, DESK, PARTS, PROVIDER
from gateway.http.endpoints import page
from gateway.http.networks import client_network
from gateway.http.parsing import read_fields
from gateway.http.signing import serializer
from gateway.look.translations import languages
from gateway.oidc import handshake
from gateway.oidc.errors import NotBelieved, ProviderAway
from gateway.oidc.provider import Provider
from gateway.watch import logs

BACK: Final = "/dpo/oidc"
LIFE: Final = timedelta(minutes=10)  # of an attempt: to sign in there, and press the button here
_ATTEMPT: Final = "consentgw/desk/oidc/v1"
_LONGEST: Final = 4096  # characters of a code
_STATUS: Final = {"over": 410, "declined": 403, "refused": 403, "unbelieved": 403, "away": 503}


class Answer(BaseModel):
    """What the provider sent the browser back with."""

    code: str
    state: str
    iss: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the browser's cookie has of an attempt."""

    seed: bytes = field(repr=False)
    locale: str


@page("POST", "/dpo/oidc/start", "Sign in by the identity provider", statuses=(303, 503), tags=TAGS)
async def begin(request: web.Request) -> web.StreamResponse:
    """Lead on to the provider; the attempt is in the browser's cookie alone."""
    sessions.require_same_site(request)
    provider = _provider(request)
    try:
        known = await provider.known()
    except ProviderAway as error:
        return _failed(request, "away", error.why)
    seed = secrets.token_bytes(handshake.SEED_SIZE)
    made = handshake.of(seed)
    to = handshake.location(known.described, provider.ours, _back(request), made)
    response = web.Response(status=303, headers={"Location": to, **pages.page_headers("")})
    _give(request, response, seed)
    return response


@page("GET", BACK, "Back from the provider: one button", statuses=(200, 403, 410), tags=TAGS)
async def show(request: web.Request) -> web.StreamResponse:
    """One button, where this browser's attempt came back. Looking changes nothing."""
    _provider(request)
    attempt, said = _attempt(request), _one_each(request.query)
    if attempt is None or not _is_of(attempt, said):
        return _failed(request, "over", "state", attempt)
    if "error" in said:  # its words are anybody's, and are shown to nobody
        return _failed(request, "declined", "declined", attempt)
    code = said.get("code", "")
    if not 0 < len(code) <= _LONGEST:
        return _failed(request, "unbelieved", "code", attempt)
    return pages.response(
        request,
        "desk_vouched",
        locale=_locale(request, attempt),
        brand=brand(request),
        provider=request.app[PROVIDER].ours.name,
        answer={"code": code, "state": said["state"], "iss": said.get("iss", "")},
    )


@page(
    "POST",
    BACK,
    "Have the provider say who it is, and open a session",
    form=Answer,
    statuses=(303, 403, 410, 503),
    tags=TAGS,
)
async def finish(request: web.Request) -> web.StreamResponse:
    """Ask the provider what the code stands for; the attempt is over by that, however it ends."""
    sessions.require_same_site(request)
    _provider(request)
    attempt = _attempt(request)
    if attempt is None:
        return _failed(request, "over", "attempt")  # of a stranger nothing is read
    said = _one_each(await read_fields(request))
    if not _is_of(attempt, said):
        return _over(request, _failed(request, "over", "state", attempt))
    try:
        raw = await _open(request, attempt, said)
    except ProviderAway as error:
        return _over(request, _failed(request, "away", error.why, attempt))
    except NotBelieved as error:
        problem = "over" if error.why == "code" else "unbelieved"
        return _over(request, _failed(request, problem, error.why, attempt))
    if isinstance(raw, Why):
        problem = "over" if raw is Why.REPLAYED else "refused"
        return _over(request, _failed(request, problem, raw, attempt))
    response = see_other(request)
    response.headers["Location"] = f"{START}?locale={_locale(request, attempt)}"
    sessions.give(request, response, raw)
    return _over(request, response)


async def _open(request: web.Request, attempt: Attempt, said: Mapping[str, str]) -> bytes | Why:
    provider, parts = request.app[PROVIDER], request.app[PARTS]
    known = await provider.known()
    named = said.get("iss", "")
    # Another provider's answer, brought to this one (RFC 9207): its code must not be shown here.
    if named != known.described.issuer and (named or known.described.names_itself):
        raise NotBelieved("mixed_up")
    code = said.get("code", "")
    if not 0 < len(code) <= _LONGEST:
        raise NotBelieved("code")
    wait = request.app[CODES].count(_network(request), parts.clock.wall())
    if wait is not None:
        raise TooMany(wait.how_long)
    made = handshake.of(attempt.seed)
    async with request.app[CODE_TURNS].place():
        claims = await provider.claims(code, _back(request), made, parts.clock.wall)
    return await Vouching(request.app[DESK]).open(vouched.read(claims, provider.ours), attempt.seed)


def _provider(request: web.Request) -> Provider:
    if PROVIDER not in request.app:
        raise NotFound
    return request.app[PROVIDER]


def _back(request: web.Request) -> str:
    """The redirect URI, byte by byte as it is registered there."""
    return f"{request.app[PARTS].base}{BACK}"


def _is_of(attempt: Attempt, said: Mapping[str, str]) -> bool:
    return handshake.is_of(handshake.of(attempt.seed), said.get("state", ""))


def _one_each(fields: Mapping[str, str]) -> dict[str, str]:
    """What was said once: of two states, neither is believed."""
    times = Counter(name for name, _ in fields.items())
    return {name: value for name, value in fields.items() if times[name] == 1}


def _give(request: web.Request, response: web.StreamResponse, seed: bytes) -> None:
    """Keep an attempt in its browser: it comes back by another site's redirect, and so is Lax."""
    at = int(request.app[PARTS].clock.wall().timestamp())
    said = [tokens.encode(seed), at, pages.locale_of(request)]
    response.set_cookie(
        _cookie(request),
        str(serializer(request.app[PARTS].keyring, _ATTEMPT).dumps(said)),
        max_age=int(LIFE.total_seconds()),
        path="/",
        secure=sessions.is_secure(request),
        httponly=True,
        samesite="Lax",
    )


def _attempt(request: web.Request) -> Attempt | None:
    """The attempt that this browser began; None where that was no one, or too long ago."""
    try:
        said = serializer(request.app[PARTS].keyring, _ATTEMPT).loads(
            request.cookies.get(_cookie(request), "")
        )
    except BadSignature:
        return None
    seed, at, locale = said
    now = request.app[PARTS].clock.wall().timestamp()
    raw = tokens.decode(seed)
    return Attempt(raw, locale) if raw and at <= now < at + LIFE.total_seconds() else None


def _cookie(request: web.Request) -> str:
    return f"{sessions.cookie_name(request)}-oidc"


def _over(request: web.Request, response: web.Response) -> web.Response:
    """Let the browser forget the attempt."""
    secure = sessions.is_secure(request)
    response.del_cookie(_cookie(request), path="/", secure=secure, httponly=True, samesite="Lax")
    return response


def _failed(
    request: web.Request, problem: str, why: str, attempt: Attempt | None = None
) -> web.Response:
    """Say that nobody was let in, and the ways that are left; *why* goes to the log alone."""
    logs.event("desk.not_signed_in", why=str(why))
    return pages.response(
        request,
        "desk_unvouched",
        _STATUS[problem],
        locale=_locale(request, attempt),
        brand=brand(request),
        provider=request.app[PROVIDER].ours.name,
        problem=problem,
    )


def _locale(request: web.Request, attempt: Attempt | None) -> str:
    """The language in which the attempt was begun: the provider's way back knows none."""
    if attempt is None or attempt.locale not in languages() or "locale" in request.query:
        return pages.locale_of(request)
    return attempt.locale


def _network(request: web.Request) -> str:
    """Who is counted: of IPv6 a whole site, which holds many of the networks that we know."""
    found = client_network(request, request.app[PARTS].config.server.trusted_proxies)
    return str(IPv6Network(found).supernet(new_prefix=48)) if ":" in found else found


ROWS: Final = (begin, show, finish)
