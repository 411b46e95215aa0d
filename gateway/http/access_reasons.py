"""The header in which a caller says why personal data is opened: it goes into the log."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.errors import Invalid

_HEADER: Final = "Access-Reason"
_LONGEST: Final = 200
PARAMETER: Final[dict[str, Any]] = {  # as the API document has it
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "Why personal data is opened; without it none is. The log keeps it.",
    "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
}


def read(request: web.BaseRequest) -> str | None:
    """What the caller says; None where nothing is to be opened, Invalid for what is no line."""
    said = request.headers.get(_HEADER)
    if said is None:
        return None
    said = said.strip()
    # Bytes that are no UTF-8 are not printable either: no log could keep them.
    if not said or len(said) > _LONGEST or not said.isprintable():
        raise Invalid.at("", f"{_HEADER} must be one line of 1 to {_LONGEST} characters")
    return said
