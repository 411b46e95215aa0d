"""aiohttp's runner with our access log, and with our answer to what is no HTTP at all."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway import logs, problems


class Runner(web.AppRunner):
    """Runs an app; logs no path, and answers broken requests without repeating them."""

    def __init__(self, app: web.Application, **settings: Any) -> None:
        super().__init__(app, access_log_class=logs.AccessLogger, **settings)

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # aiohttp offers no other way to its request handler
        return server


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Handler(RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer by status alone: aiohttp's *message* quotes what it could not read."""
        if exc is not None and status >= 500:
            logs.failed("request.failed", exc, route="unmatched")
        response = problems.answer(problems.of_status(status))
        response.force_close()
        return response
