"""What the operator's machines ask: alive, ready."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from gateway.http.answers import answer
from gateway.http.app_keys import HEALTH
from gateway.http.endpoints import endpoint
from gateway.http.models import Answer

_TAGS = ("operator",)


class Alive(Answer):
    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """What this process lacks: `data`, `keys`, `guard`, `worker`."""

    status: Literal["ready", "unready"]
    lacking: list[str]


@endpoint("GET", "/healthz", summary="The process lives", responses={200: Alive}, tags=_TAGS)
async def healthz(_request: web.Request) -> web.StreamResponse:
    """The process lives and its loop turns."""
    return answer(Alive())


@endpoint(
    "GET",
    "/readyz",
    summary="This process has its stores and, where it runs one, its worker",
    responses={200: Readiness, 503: Readiness},
    tags=_TAGS,
)
async def readyz(request: web.Request) -> web.StreamResponse:
    """This process has its stores and, where it runs one, its worker."""
    lacking = await request.app[HEALTH].failing()
    said = Readiness(status="unready" if lacking else "ready", lacking=lacking)
    response = answer(said, 503 if lacking else 200)
    if lacking:
        response.headers["Retry-After"] = "5"
    return response
