"""What the operator's machines ask: alive, ready; and whom somebody tells of a fault."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from gateway.config.config import Config
from gateway.http.answers import answer
from gateway.http.app_keys import HEALTH, LOOKOUT, PARTS
from gateway.http.endpoints import Media, endpoint
from gateway.http.models import Answer
from gateway.look.translations import languages
from gateway.watch.held_up import Lookout

_TAGS = ("operator",)


class Alive(Answer):
    status: Literal["ok"] = "ok"


class Waiting(Answer):
    """Why mail waits, in words, with what to do about it; *number* is of mails, or as it says."""

    why: str
    said: str
    way_out: str
    number: int


class Readiness(Answer):
    """What this process lacks: `data`, `keys`, `guard`, `worker`.

    At `admin_listen` also why mail waits; that is no reason to be unready.
    """

    status: Literal["ready", "unready"]
    lacking: list[str]
    waits: Annotated[list[Waiting] | None, Field(exclude_if=lambda value: value is None)] = None


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
    status: Literal["ready", "unready"] = "unready" if lacking else "ready"
    said = Readiness(status=status, lacking=lacking, waits=_waiting(request.app.get(LOOKOUT)))
    response = answer(said, 503 if lacking else 200)
    if lacking:
        response.headers["Retry-After"] = "5"
    return response


def _waiting(lookout: Lookout | None) -> list[Waiting] | None:
    """None for strangers: it moves with what single people do."""
    if lookout is None:
        return None
    return [
        Waiting(why=one.why, said=one.said, way_out=one.way_out, number=one.number)
        for one in lookout.told
    ]


@endpoint(
    "GET",
    "/.well-known/security.txt",
    summary="Whom to tell of a security fault",
    responses={200: Media("text/plain")},
    tags=_TAGS,
)
async def show_security(request: web.Request) -> web.StreamResponse:
    """Whom to tell of a security fault of this installation (RFC 9116)."""
    parts = request.app[PARTS]
    return web.Response(text=security_txt(parts.config, parts.clock.wall()))


_GOOD_FOR: Final = timedelta(days=90)  # section 2.5.5 advises less than a year


def security_txt(config: Config, now: datetime) -> str:
    """The file as of *now*; the configuration that it is made of is the one that runs."""
    until = (now + _GOOD_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    contact = config.server.security_contact or config.controller.contact
    lines = {
        "Contact": f"mailto:{quote(contact, safe='@')}",
        "Expires": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Preferred-Languages": ", ".join(languages()),
        "Canonical": f"{config.server.public_url}/.well-known/security.txt",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items())
