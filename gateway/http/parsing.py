"""From the bytes of a request to a model, or to the error that names each wrong field."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict, MultiDictProxy
from pydantic import BaseModel, ValidationError

from gateway.errors import (
    BodyLost,
    BodyTooLarge,
    FieldError,
    Flaw,
    Invalid,
    MalformedJson,
    TooSlow,
    WrongContentType,
)

ModelT = TypeVar("ModelT", bound=BaseModel)

# Forms and questions are small; a stranger must not make us hold more than this.
SMALL: Final = 64 * 1024
FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
PATIENCE: Final = 20.0  # seconds in which a body of that size arrives over a bad line

_MOST_FIELDS = 200
_MOST_ERRORS = 20
_SAFE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_DETAILS = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
}
_FLAWS = {
    "missing": Flaw.MISSING,
    "too_short": Flaw.MISSING,  # a list that must name something
    "string_too_long": Flaw.TOO_LONG,
}


async def read_json(request: web.Request, model: type[ModelT]) -> ModelT:
    """Read the body as *model*.

    Raises WrongContentType, BodyTooLarge, MalformedJson, or Invalid with a
    pointer (RFC 6901) per wrong field. No text of the body is repeated, except
    a field name that looks like one.
    """
    if request.content_type != "application/json":
        raise WrongContentType
    return parse_json(await read_bytes(request), model)


async def read_bytes(
    request: web.Request, *, most: int = SMALL, patience: float = PATIENCE
) -> bytes:
    """The whole body; never keeps more than *most* bytes, nor waits longer than *patience*.

    Raises BodyTooLarge, TooSlow or BodyLost. A body can be read once.
    """
    body = bytearray()
    async with _reading(request, most, patience):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise BodyTooLarge
    return bytes(body)


@asynccontextmanager
async def _reading(request: web.Request, most: int, patience: float) -> AsyncIterator[None]:
    """Bound what a sender can make us wait for, and say what went wrong with the line."""
    if (request.content_length or 0) > most:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(patience):
            yield
    except TimeoutError:
        raise TooSlow from None
    except (web.RequestPayloadError, ConnectionError):
        raise BodyLost from None


def parse_json(body: bytes, model: type[ModelT]) -> ModelT:
    """As `read_json`, from bytes."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_input=False)):
            raise MalformedJson from None
        raise Invalid(field_errors(error)) from None


def parse_value(value: Any, model: type[ModelT], *, at: str = "") -> ModelT:
    """Check one JSON value that was read before; pointers begin with *at*."""
    try:
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise Invalid(field_errors(error, at=at)) from None


def read_query(request: web.Request, model: type[ModelT]) -> ModelT:
    """Read the query string as *model*; a parameter that comes twice is wrong."""
    query = request.query
    twice = [name for name in set(query) if len(query.getall(name)) > 1]
    if twice:
        raise Invalid([FieldError(_pointer([name]), "is given twice") for name in sorted(twice)])
    try:
        return model.model_validate_strings(dict(query))
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None


async def read_fields(request: web.Request) -> MultiDictProxy[str]:
    """Read a plain HTML form's text fields, in UTF-8; a file among them is wrong.

    An empty body without a type is an empty form (RFC 8058 senders do that).
    """
    fields: MultiDict[str] = MultiDict()
    if request.content_type == "multipart/form-data":
        fields = await _read_parts(request)
    elif request.content_type == "application/x-www-form-urlencoded":
        fields = _read_pairs(await read_bytes(request))
    elif await read_bytes(request):
        raise WrongContentType
    return MultiDictProxy(fields)


def _read_pairs(body: bytes) -> MultiDict[str]:
    try:
        pairs = parse_qsl(
            body.decode().strip(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Invalid.at("", "is not a well-formed form in UTF-8") from None
    return MultiDict(pairs)


async def _read_parts(request: web.Request) -> MultiDict[str]:
    """Part by part: aiohttp's own reader would spool a file to the disk before we refuse it."""
    fields: MultiDict[str] = MultiDict()
    try:
        async with _reading(request, SMALL, PATIENCE):
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or not part.name:
                    raise Invalid.at("", "has a part that is no field")
                if part.filename is not None or len(fields) == _MOST_FIELDS:
                    raise Invalid.at(_pointer([part.name]), "must be text, and not too many")
                fields.add(part.name, (await _read_part(request, part)).decode())
    # What aiohttp raises for parts that it cannot take apart; only its own code runs above.
    except (ValueError, LookupError, RuntimeError, AssertionError, HttpProcessingError):
        raise Invalid.at("", "is not a well-formed form in UTF-8") from None
    return fields


async def _read_part(request: web.Request, part: BodyPartReader) -> bytes:
    raw = bytearray()
    while chunk := await part.read_chunk():
        if request.content.total_bytes > SMALL:
            raise BodyTooLarge
        raw += chunk
    return bytes(raw)


def field_errors(error: ValidationError, *, at: str = "") -> list[FieldError]:
    """What *error* says, by pointer, without quoting input; the first twenty."""
    items = error.errors(include_url=False, include_input=False)
    return [
        FieldError(at + _pointer(item["loc"]), _detail(item), _FLAWS.get(item["type"], Flaw.OTHER))
        for item in items[:_MOST_ERRORS]
    ]


def _detail(item: Any) -> str:
    message: str = item["msg"].removeprefix("Value error, ")
    return _DETAILS.get(item["type"], message)


def _pointer(location: Sequence[str | int] | Iterable[str | int]) -> str:
    """RFC 6901, cut before the first name that the caller made up."""
    parts: list[str] = []
    for part in location:
        if isinstance(part, str) and not _SAFE_NAME.fullmatch(part):
            break
        parts.append(f"/{part}")
    return "".join(parts)
