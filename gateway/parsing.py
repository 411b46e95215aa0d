"""From the bytes of a request to a model, or to the error that names each wrong field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from aiohttp import web
from multidict import MultiDict, MultiDictProxy
from pydantic import BaseModel, ValidationError

from gateway.errors import BodyTooLarge, FieldError, Invalid, MalformedJson, WrongContentType

ModelT = TypeVar("ModelT", bound=BaseModel)

_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_MOST_ERRORS = 20
_SAFE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_DETAILS = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
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


async def read_bytes(request: web.Request) -> bytes:
    """The whole body, as long as the app's `client_max_size` allows."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None


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
    """Read a plain HTML form's text fields; a file among them is wrong.

    An empty body without a type is an empty form (RFC 8058 senders do that).
    """
    if request.content_type not in _FORM_TYPES:
        if not await read_bytes(request):
            return MultiDictProxy(MultiDict())
        raise WrongContentType
    try:
        posted = await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except (ValueError, LookupError):
        raise Invalid.at("", "is not a well-formed form") from None
    fields: MultiDict[str] = MultiDict()
    for name, value in posted.items():
        if not isinstance(value, str):
            raise Invalid.at(_pointer([name]), "must be text")
        fields.add(name, value)
    return MultiDictProxy(fields)


def field_errors(error: ValidationError, *, at: str = "") -> list[FieldError]:
    """What *error* says, by pointer, without quoting input; the first twenty."""
    items = error.errors(include_url=False, include_input=False)
    return [FieldError(at + _pointer(item["loc"]), _detail(item)) for item in items[:_MOST_ERRORS]]


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
