"""Somebody else's server that is told what happened, and how such servers misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from tests.support.waiting import until

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


@dataclass
class Elsewhere:
    """A receiver that is a process of its own; what it heard stands in a file, a line each."""

    port: int
    file: Path
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", __name__, str(self.port), str(self.file)]
        self.process = subprocess.Popen(command)  # noqa: ASYNC220 it goes on beside us
        await until(lambda: answers(self.port))

    def kill(self) -> None:
        """As kill -9 does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def heard(self) -> list[Any]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _listen(port: int, file: Path) -> None:
    """Hear what comes, and write it down before it is acknowledged."""
    async with receiving(port) as receiver:
        with file.open("a") as heard:
            receiver.heard = _Lines(heard)
            await asyncio.Event().wait()


class _Lines(list[Any]):
    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def append(self, said: Any) -> None:
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()


def section(name: str, url: str, *kinds: str, processor: str = "relay") -> str:
    """What the configuration says of one; its secret is in the file `webhook.secret`."""
    return f"""
[webhooks.{name}]
url = "{url}"
secret_file = "webhook.secret"
kinds = {json.dumps(kinds)}
processor = "{processor}"
"""


if __name__ == "__main__":
    asyncio.run(_listen(int(sys.argv[1]), Path(sys.argv[2])))
