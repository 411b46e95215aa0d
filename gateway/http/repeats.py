"""The header by which a caller may repeat a request without its being done twice."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name
from gateway.errors import InFlight, Invalid, KeyReused, RequestError, WrongContentType
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER
from gateway.http.meaning import meaning_of
from gateway.http.parsing import ModelT, parse_json, read_bytes
from gateway.http.values import MOST_OF_A_FORM

_HEADER: Final = "Idempotency-Key"
_KEY: Final = "[!-~]{1,255}"
PARAMETER: Final[dict[str, Any]] = {  # as the API document has it
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with a body that says the same is done once; kept for 24 hours.",
    "schema": {"type": "string", "pattern": f"^{_KEY}$"},
}


def name_of(request: web.Request, body: bytes, *, status: int) -> Name | None:
    """What this request may be repeated under, where its caller says so; Invalid for an unfit key.

    *status* is that of an answer which is remembered. Takes long for a long body:
    not for the loop.
    """
    key = request.headers.get(_HEADER)
    if key is None:
        return None
    if not re.fullmatch(_KEY, key):
        raise Invalid.at(
            f"/{_HEADER}", f"the header {_HEADER} must be 1 to 255 visible ASCII characters"
        )
    return idempotency.identify(
        request.app[PARTS].keyring.fingerprint,
        api_key=request[CALLER].id,
        endpoint=f"{request.method} {request.path}",
        key=key,
        body=body,
        meaning=meaning_of(body),
        status=status,
    )


async def read_named(
    request: web.Request, model: type[ModelT], *, status: int
) -> tuple[ModelT, Name | None]:
    """A small body, as `read_json` reads it, and what the request may be repeated under."""
    if request.content_type != "application/json":
        raise WrongContentType
    body = await read_bytes(request)
    said = parse_json(body, model, most=MOST_OF_A_FORM)
    return said, name_of(request, body, status=status)


def refusal(clash: Clash) -> RequestError:
    """What to answer where neither is done what was asked nor told what became of it."""
    return InFlight() if clash is Clash.IN_FLIGHT else KeyReused()
