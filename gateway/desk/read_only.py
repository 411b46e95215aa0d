"""Pages of the desk that open nothing personal, and so are had by GET."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDictProxy

from gateway.callers.operators import Role
from gateway.desk import sessions
from gateway.errors import Forged
from gateway.flows.desk.sitting import Operator
from gateway.http import pages


async def reader(request: web.Request, *roles: Role) -> Operator | None:
    """Who reads; None without a session. Raises `Forged` for a role that may not."""
    operator = await sessions.current(request)
    if operator is not None and operator.role not in roles:
        raise Forged
    return operator


def asked_for(
    request: web.Request, fields: MultiDictProxy[str], path: str, *names: str
) -> web.Response:
    """Lead on to what was chosen: nothing that is asked for there is of anybody."""
    chosen = {name: fields[name] for name in names if fields.get(name)}
    query = urlencode({**chosen, "locale": pages.locale_of(request)})
    return web.Response(
        status=303, headers={"Location": f"{path}?{query}", **pages.page_headers("")}
    )
