"""Handlers of the desk: who sits there is asked before anything else, and in which role.

Each names the roles that may; whoever has no session is led to the door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import MultiDictProxy

from gateway.callers.operators import Role
from gateway.desk import sessions
from gateway.desk.entrance import see_other
from gateway.errors import Forged
from gateway.flows.desk.sitting import Operator
from gateway.http import pages

Fields = MultiDictProxy[str]
_Posted = Callable[[web.Request, Operator, Fields], Awaitable[web.StreamResponse]]
_Read = Callable[[web.Request, Operator], Awaitable[web.StreamResponse]]
_Who = Callable[[web.Request], Awaitable[Operator | None]]


def posts(*roles: Role) -> Callable[[_Posted], Handler]:
    """Give a handler the operator and what their form said; raises `Forged` as `posted` does."""

    def around(handle: _Posted) -> Handler:
        @wraps(handle)
        async def handler(request: web.Request) -> web.StreamResponse:
            found = await sessions.posted(request, *roles)
            return see_other(request) if found is None else await handle(request, *found)

        return handler

    return around


def reads(*roles: Role) -> Callable[[_Read], Handler]:
    """Give a handler of a page that opens nothing personal, and so is had by GET, the operator.

    Raises `Forged` for a role that may not.
    """

    return _by(sessions.current, roles)


def watches(*roles: Role) -> Callable[[_Read], Handler]:
    """As `reads`, for a page that asks for itself again: that is no step of anybody's.

    Else a session would last as long as a browser was left open.
    """
    return _by(sessions.seen, roles)


def _by(who: _Who, roles: Sequence[Role]) -> Callable[[_Read], Handler]:
    def around(handle: _Read) -> Handler:
        @wraps(handle)
        async def handler(request: web.Request) -> web.StreamResponse:
            operator = await who(request)
            if operator is None:
                return see_other(request)
            if operator.role not in roles:
                raise Forged
            return await handle(request, operator)

        return handler

    return around


def lead_on(request: web.Request, fields: Fields, path: str, *names: str) -> web.Response:
    """Lead on to what was chosen: nothing that is asked for there is of anybody."""
    chosen = {name: fields[name] for name in names if fields.get(name)}
    query = urlencode({**chosen, "locale": pages.locale_of(request)})
    return web.Response(
        status=303, headers={"Location": f"{path}?{query}", **pages.page_headers("")}
    )
