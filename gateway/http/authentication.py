"""Who calls: the API key in the Authorization header."""

from __future__ import annotations

from aiohttp import web

from gateway.callers import api_keys
from gateway.callers.api_keys import TOKEN, ApiKey, Scope
from gateway.errors import NotAuthenticated, OutsideKey, ScopeMissing
from storage.database import Database
from storage.honesty import RowKeys


class Authentication:
    """Tells callers apart; every request looks again, so that a revoked key ends at once."""

    def __init__(self, database: Database, keys: RowKeys) -> None:
        self._database = database
        self._keys = keys

    async def authenticate(self, request: web.BaseRequest, scope: Scope) -> ApiKey:
        """Raise NotAuthenticated or ScopeMissing unless the bearer may do this."""
        token = bearer(request)
        async with self._database.read() as connection:
            key = await api_keys.find(connection, self._keys, token)
        if key is None:
            raise NotAuthenticated
        if scope not in key.scopes:
            raise ScopeMissing(scope)
        if key.kid != self._keys.keys.kid:
            await self._renew(key, token)
        return key

    async def _renew(self, key: ApiKey, token: str) -> None:
        """Only who shows a token can have its hash made anew, when another key follows."""
        async with self._database.begin() as connection:
            await api_keys.renew(connection, self._keys, key.id, token)


AUTHENTICATION = web.AppKey("authentication", Authentication)
CALLER = web.RequestKey("caller", ApiKey)


def require_unbound(request: web.BaseRequest) -> None:
    """Only a key that is bound to nothing may speak for all purposes: raise OutsideKey."""
    if request[CALLER].purposes or request[CALLER].senders:
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
