"""Where a download goes on that was cut off (RFC 9110, 14): of what has a name for its bytes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from gateway.http import problems

_FROM: Final = re.compile(r"bytes=([0-9]{1,18})-", re.ASCII)
# For the document of the API.
PARAMETERS: Final[tuple[Mapping[str, Any], ...]] = tuple(
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
    for name in ("Range", "If-Range")
)


@dataclass(frozen=True, slots=True)
class Rest:
    """What of the bytes is sent, and how that is said."""

    start: int
    status: int
    headers: Mapping[str, str]


def start_of(request: web.Request, name: str, *, is_named: bool) -> int:
    """From which byte on; 0 unless it is certain that the rest is of the same file.

    That is where the address names it, or `If-Range` does: what somebody else begins meanwhile
    has another name. Ranges of another kind are passed over, as the standard lets us.
    """
    asked, condition = request.headers.get("Range", ""), request.headers.get("If-Range")
    found = _FROM.fullmatch(asked)
    same = is_named if condition is None else condition == tag_of(name)
    return int(found[1]) if found and same else 0


def tag_of(name: str) -> str:
    return f'"{name}"'


async def rest(start: int, length: Callable[[], Awaitable[int]], name: str) -> Rest | web.Response:
    """The answer to who goes on at *start*; one that says so where there is nothing behind it."""
    headers = {"ETag": tag_of(name), "Accept-Ranges": "bytes"}
    if not start:
        return Rest(0, HTTPStatus.OK, headers)
    whole = await length()
    if start >= whole:
        problem = problems.of_status(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        return problems.answer(replace(problem, headers={"Content-Range": f"bytes */{whole}"}))
    headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
    headers["Content-Length"] = str(whole - start)
    return Rest(start, HTTPStatus.PARTIAL_CONTENT, headers)
