"""The session of somebody at the desk: a signed cookie of its own, and what its forms carry.

That of a person's own pages opens nothing here, nor the other way round: each stands in a table
of its own, and the cookies are signed for different uses.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from itsdangerous import BadSignature
from multidict import MultiDictProxy

from consent import tokens
from gateway.callers.operators import Role
from gateway.callers.visits import LONGEST
from gateway.errors import Forged
from gateway.flows.desk.sitting import Operator
from gateway.http.app_keys import DESK, PARTS
from gateway.http.parsing import read_fields
from gateway.http.signing import serializer

CSRF_FIELD: Final = "csrf"
_SESSION: Final = "consentgw/desk/session/v1"
_CSRF: Final = "consentgw/desk/csrf/v1"
_SAME_SITE: Final = "same-origin"


def cookie_name(request: web.Request) -> str:
    """Only over TLS a browser takes the prefix that ties a cookie to its host (RFC 6265bis)."""
    return "__Host-dpo" if is_secure(request) else "dpo"


def give(request: web.Request, response: web.StreamResponse, raw: bytes) -> None:
    """Set the cookie of a session that was just opened."""
    signed = str(serializer(request.app[PARTS].keyring, _SESSION).dumps(tokens.encode(raw)))
    response.set_cookie(
        cookie_name(request),
        signed,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="Strict",
    )


def take(request: web.Request, response: web.StreamResponse) -> None:
    """Let the browser forget the cookie."""
    secure = is_secure(request)
    response.del_cookie(
        cookie_name(request), path="/", secure=secure, httponly=True, samesite="Strict"
    )


def raw_id(request: web.Request) -> bytes | None:
    """The session id in the cookie, if we signed it for the desk."""
    signed = request.cookies.get(cookie_name(request))
    if signed is None:
        return None
    try:
        said = serializer(request.app[PARTS].keyring, _SESSION).loads(signed)
    except BadSignature:
        return None
    return tokens.decode(said) if isinstance(said, str) else None


async def current(request: web.Request) -> Operator | None:
    """Who sits at the desk, as rows and log have it now; that is a step in their session."""
    operator = await seen(request)
    return None if operator is None else await request.app[DESK].note_step(operator)


async def seen(request: web.Request) -> Operator | None:
    """The same, and no step: their session ends as if they had not come."""
    raw = raw_id(request)
    return None if raw is None else await request.app[DESK].who(raw)


def csrf(request: web.Request, operator: Operator) -> str:
    """What a form of this very session carries."""
    return str(serializer(request.app[PARTS].keyring, _salt(operator)).dumps(operator.role))


async def posted(request: web.Request, *roles: Role) -> tuple[Operator, MultiDictProxy[str]] | None:
    """Who posted, and what; None without a session.

    Raises `Forged` for the form of another session or site, and for a role that may not.
    """
    raw = raw_id(request)
    if raw is None or not await request.app[DESK].may_sit(raw):
        return None  # of a stranger nothing is read
    require_same_site(request)
    fields = await read_fields(request)
    # Only now: who was revoked while the body was on its way does nothing any more.
    operator = await current(request)
    if operator is None:
        return None
    try:
        said = serializer(request.app[PARTS].keyring, _salt(operator)).loads(
            fields.get(CSRF_FIELD, "")
        )
    except BadSignature:
        raise Forged from None
    if said != operator.role or operator.role not in roles:
        raise Forged
    return operator, fields


def require_same_site(request: web.Request) -> None:
    """Raise `Forged` for a post that the browser says another site began (Fetch Metadata)."""
    if request.headers.get("Sec-Fetch-Site", _SAME_SITE) != _SAME_SITE:
        raise Forged


def _salt(operator: Operator) -> str:
    """A key of its own for each session: nothing has to be compared."""
    return f"{_CSRF}/{operator.session.id_hash.hex()}"


def is_secure(request: web.Request) -> bool:
    return request.app[PARTS].base.startswith("https:")
