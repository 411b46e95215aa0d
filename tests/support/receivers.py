"""Somebody else's server that is told what happened, and how such servers misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    """It does what *how* says; what it acknowledged is *heard*, whatever came *called*."""

    how: str = "well"
    url: str = ""
    called: list[Any] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    strayed: int = 0  # where a redirect would lead
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def kinds(self) -> list[str]:
        return [str(one["kind"]) for one in self.heard]

    async def take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        # By the package that receivers use; it raises for a signature that is not ours.
        said = Webhook(SECRET).verify(raw, dict(request.headers))
        assert said == json.loads(raw)
        assert request.headers["webhook-id"] == said["change_id"]
        self.called.append(said)
        match self.how:
            case "fails":
                return web.Response(status=500)
            case "redirects":
                raise web.HTTPTemporaryRedirect(self.url.replace("/hook", "/elsewhere"))
            case "hangs":
                await self.over.wait()
            case "ends never":
                return await self._endless(request)
        self.heard.append(said)
        return web.Response(status=204)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        """A failure that goes on."""
        answer = web.StreamResponse(status=503)
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    async def stray(self, _: web.Request) -> web.StreamResponse:
        self.strayed += 1
        return web.Response()


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_route("*", "/elsewhere", receiver.stray)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        receiver.over.set()
        await runner.cleanup()


def section(name: str, url: str, *kinds: str, processor: str = "relay") -> str:
    """What the configuration says of one; its secret is in the file `webhook.secret`."""
    return f"""
[webhooks.{name}]
url = "{url}"
secret_file = "webhook.secret"
kinds = {json.dumps(kinds)}
processor = "{processor}"
"""
