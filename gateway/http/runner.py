"""aiohttp's runner with our access log, and with our answer to what is no HTTP at all."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.http import problems
from gateway.watch import access, logs

_MUCH = 16 * 1024  # bytes of one reading; libuv would read on, up to eight megabytes at once


class Runner(web.AppRunner):
    """Runs an app; logs no path, and answers broken requests without repeating them.

    A connection has `keepalive_timeout` to send the head of its next request.
    That is a little longer than common proxies keep theirs: otherwise they
    would write into one that is just being closed.
    """

    def __init__(self, app: web.Application, **settings: Any) -> None:
        bounds = {
            "keepalive_timeout": 75.0,
            "lingering_time": 5.0,
            "auto_decompress": False,
            # aiohttp takes a body in by so much at once: in chunks of one byte each, what it
            # takes by default keeps the loop for six milliseconds, this for a third of one.
            "read_bufsize": 8192,
        }
        super().__init__(app, access_log_class=access.AccessLogger, **(bounds | settings))

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # aiohttp offers no other way to its request handler
        return server


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Handler(RequestHandler):
    """aiohttp's, which lets everybody have a turn between two takings of one connection.

    By itself it goes on as long as there is something to take: who sends without
    end, in chunks of a byte or in what is no body at all, would keep the loop.
    """

    _goes_on = False  # it is to be taken from again, at the next turn
    _parses_on = False  # and so is what was taken and not parsed

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if len(data) >= _MUCH and self.transport is not None:
            self.transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self.transport is not None and not (self._reading_paused or self._buffer_paused):
            self.transport.resume_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self._parses_on = self._parses_on or resume_parser
        if not self._goes_on:
            self._goes_on = True
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        parses_on, self._goes_on, self._parses_on = self._parses_on, False, False
        super().resume_reading(parses_on)

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
