"""A request as logs and metrics may name it: by its route, never by its path."""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.hdrs import METH_ALL

from gateway.watch import logs


def route_of(request: web.Request) -> str:
    """The route as it was declared, never the path: that one holds tokens."""
    try:
        resource = request.match_info.route.resource
    except (AssertionError, AttributeError):  # aiohttp's: refused before it was routed
        return "unmatched"
    return resource.canonical if resource is not None else "unmatched"


def method_of(request: web.BaseRequest) -> str:
    """The method, unless the caller made it up."""
    return request.method if request.method in METH_ALL else "other"


class AccessLogger(AbstractAccessLogger):
    """One line per request: declared route, method, status, size, seconds."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        route = route_of(request) if isinstance(request, web.Request) else "unmatched"
        logs.event(
            "request",
            route=route,
            method=method_of(request),
            status=response.status,
            bytes=response.body_length,
            seconds=round(time, 4),
        )

    @property
    def enabled(self) -> bool:
        return True
