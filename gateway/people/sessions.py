"""The short session of a person's own pages: a signed cookie, and a token against forged posts.

The cookie goes to our own pages only and ends with the browser or the session,
whichever is first; no script can read it.
"""

from __future__ import annotations

import hmac

from aiohttp import web
from itsdangerous import BadSignature

from consent import tokens
from consent.fresh_links import SESSION_LIFE, Session
from gateway.errors import Forged
from gateway.flows.rights.session import session_of
from gateway.http.app_keys import PARTS
from gateway.http.signing import serializer
from gateway.people.spoken import speak_to

CSRF_FIELD = "csrf"
_SESSION_SALT = "consentgw/session/v1"
_CSRF_SALT = "consentgw/csrf/v1"
_SAME_SITE = "same-origin"


def is_secure(request: web.Request) -> bool:
    return request.app[PARTS].base.startswith("https:")


def cookie_name(request: web.Request) -> str:
    """Only over TLS a browser takes the prefix that ties a cookie to its host (RFC 6265bis)."""
    return "__Host-my-data" if is_secure(request) else "my-data"


def give(request: web.Request, response: web.StreamResponse, raw: bytes) -> None:
    """Set the cookie of a session that was just opened."""
    response.set_cookie(
        cookie_name(request),
        str(serializer(request.app[PARTS].keyring, _SESSION_SALT).dumps(tokens.encode(raw))),
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="Strict",
    )


def take(request: web.Request, response: web.StreamResponse) -> None:
    """Let the browser forget the cookie."""
    response.del_cookie(
        cookie_name(request), path="/", secure=is_secure(request), httponly=True, samesite="Strict"
    )


def raw_id(request: web.Request) -> bytes | None:
    """The session id in the cookie, if we signed it."""
    signed = request.cookies.get(cookie_name(request))
    if signed is None:
        return None
    try:
        said = serializer(request.app[PARTS].keyring, _SESSION_SALT).loads(signed)
    except BadSignature:
        return None
    return tokens.decode(said) if isinstance(said, str) else None


async def current(request: web.Request) -> Session | None:
    """The session of this request while it lasts; its pages speak as the person's mails do."""
    raw = raw_id(request)
    parts = request.app[PARTS]
    if raw is None:
        return None
    own = parts.keystore.sessions
    session = await session_of(parts.data, own, parts.clock, parts.rows, raw)
    if session is not None:
        await speak_to(request, session.subject)
    return session


def csrf(request: web.Request, session: Session) -> str:
    """What a form of this session carries."""
    said = session.id_hash.hex()
    return str(serializer(request.app[PARTS].keyring, _CSRF_SALT).dumps(said))


def require_own(request: web.Request, session: Session, given: str | None) -> None:
    """Raise `Forged` unless a form of this very session was posted."""
    try:
        said = serializer(request.app[PARTS].keyring, _CSRF_SALT).loads(given or "")
    except BadSignature:
        raise Forged from None
    if not hmac.compare_digest(str(said), session.id_hash.hex()):
        raise Forged
    require_same_site(request)


def require_same_site(request: web.Request) -> None:
    """Raise `Forged` for a post that the browser says another site began (Fetch Metadata).

    A browser that says nothing passes: there the link or the token is the proof.
    """
    if request.headers.get("Sec-Fetch-Site", _SAME_SITE) != _SAME_SITE:
        raise Forged
