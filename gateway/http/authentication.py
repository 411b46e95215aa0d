"""Who calls: the API key in the Authorization header."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import web

from gateway.callers import api_keys
from gateway.callers.api_keys import FRESH, TOKEN, ApiKey, Scope
from gateway.errors import NotAuthenticated, OutsideKey, ScopeMissing
from storage.clock import elapsed
from storage.database import Database
from storage.honesty import RowKeys


class Authentication:
    """Tells callers apart; what a token opened is remembered for a second (`api_keys.FRESH`).

    Whoever revokes a key is told so when that second is over: from then on no process takes it.
    """

    def __init__(
        self, database: Database, keys: RowKeys, *, monotonic: Callable[[], float] = elapsed
    ) -> None:
        self._database = database
        self._keys = keys
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[float, ApiKey]] = {}  # tokens themselves are kept nowhere
        self._asking: dict[bytes, tuple[float, asyncio.Task[ApiKey | None]]] = {}

    async def authenticate(self, request: web.BaseRequest, scope: Scope) -> ApiKey:
        """Raise NotAuthenticated or ScopeMissing unless the bearer may do this."""
        token = bearer(request)
        key = await self._opened(token)
        if scope not in key.scopes:
            raise ScopeMissing(scope)
        if key.kid != self._keys.keys.kid:
            await self._renew(key, token)
        return key

    async def _opened(self, token: str) -> ApiKey:
        shown = hashlib.sha256(token.encode()).digest()
        # Before the question: a key that is revoked after its answer would live too long.
        asked = self._monotonic()
        known = self._known.get(shown)
        if known is not None and known[0] > asked - FRESH:
            return known[1]
        self._known.pop(shown, None)
        # Whoever hangs up must not end it for the others.
        key = await asyncio.shield(self._asked(shown, token, asked))
        if key is None:
            raise NotAuthenticated
        return key

    def _asked(self, shown: bytes, token: str, now: float) -> asyncio.Task[ApiKey | None]:
        """The look for a token: one for all who come by many connections when its second is over.

        One that lasts longer may have begun before the key was revoked: it is nobody else's.
        """
        begun, asking = self._asking.get(shown, (0.0, None))
        if asking is None or asking.done() or begun <= now - FRESH:
            asking = asyncio.create_task(self._find(shown, token, now))
            self._asking[shown] = now, asking
            asking.add_done_callback(lambda done: self._over(shown, done))
        return asking

    def _over(self, shown: bytes, done: asyncio.Task[ApiKey | None]) -> None:
        if self._asking.get(shown, (0.0, None))[1] is done:
            del self._asking[shown]
        if not done.cancelled():
            done.exception()  # looked at: those who asked may all have hung up

    async def _find(self, shown: bytes, token: str, asked: float) -> ApiKey | None:
        async with self._database.read() as connection:
            key = await api_keys.find(connection, self._keys, token)
        if key is not None and key.kid == self._keys.keys.kid:
            # Else its row changes now, and is read again.
            self._known[shown] = asked, key
        return key

    async def _renew(self, key: ApiKey, token: str) -> None:
        """Only who shows a token can have its hash made anew, when another key follows."""
        async with self._database.begin() as connection:
            await api_keys.renew(connection, self._keys, key.id, token)


AUTHENTICATION = web.AppKey("authentication", Authentication)
CALLER = web.RequestKey("caller", ApiKey)


def require_unbound(request: web.BaseRequest) -> None:
    """Only a key that is bound to nothing may speak for all purposes: raise OutsideKey."""
    if request[CALLER].is_bound:
        raise OutsideKey


def shows_no_key(request: web.BaseRequest) -> bool:
    """Whether a request claims to come from nobody; one with a wrong key claims something."""
    return "Authorization" not in request.headers


def bearer(request: web.BaseRequest) -> str:
    """The token of the Authorization header; raises NotAuthenticated."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not TOKEN.fullmatch(token.strip()):
        raise NotAuthenticated
    return token.strip()
