"""The header by which a caller says why personal data is opened; the log keeps it, sealed."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.errors import Invalid
from gateway.http.fields import Label

_HEADER: Final = "Access-Reason"
_REASON: Final = TypeAdapter[str](Label)
PARAMETER: Final[dict[str, Any]] = {  # as the API document has it
    "name": _HEADER,
    "in": "header",
    "required": True,
    "description": "Why personal data is opened, such as a case number; kept in the person's"
    " audit trail, sealed under their key.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
# Where less is told without it.
OPTIONAL: Final = {**PARAMETER, "required": False}


def reason_of(request: web.Request) -> str:
    """Why this caller looks; Invalid where they do not say."""
    try:
        return _REASON.validate_python(request.headers.get(_HEADER))
    except ValidationError:
        said = f"send the header {_HEADER}: why you look, in one line of at most 200 characters"
        raise Invalid.at(f"/{_HEADER}", said) from None


def said_of(request: web.Request) -> str | None:
    """As `reason_of`, where a caller may look without opening anything; None where they do."""
    return reason_of(request) if _HEADER in request.headers else None
