"""From the bytes of a request to a model, or to the error that names each wrong field."""

from __future__ import annotations

import asyncio
import json
import re
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiDictProxy
from pydantic import BaseModel, ValidationError

from gateway.config import wrong_values
from gateway.errors import (
    BodyLost,
    BodyTooLarge,
    FieldError,
    Flaw,
    Invalid,
    MalformedJson,
    TooManyValues,
    TooSlow,
    WrongContentType,
)
from gateway.http import multipart
from gateway.http.multipart import NotMultipart
from gateway.http.values import MOST_OF_A_FORM, holds_more
from storage.invisible import trimmed

ModelT = TypeVar("ModelT", bound=BaseModel)

# Forms and questions are small; a stranger must not make us hold more than this.
SMALL: Final = 64 * 1024
FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
PATIENCE: Final = 20.0  # seconds in which a body of that size arrives over a bad line

_MOST_FIELDS = multipart.MOST_PARTS
_MOST_ERRORS = 20
_MOST_READ = 1000
_KEPT: Final = "surrogateescape"  # what is not UTF-8, until it is known whether it matters
_SAFE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_HALVES = re.compile("[\ud800-\udfff]")
_FLAWS = {
    "missing": Flaw.MISSING,
    "too_short": Flaw.MISSING,  # a list that must name something
    "string_too_long": Flaw.TOO_LONG,
}


async def read_json(request: web.Request, model: type[ModelT]) -> ModelT:
    """Read the body as *model*.

    Raises WrongContentType, BodyTooLarge, TooManyValues, MalformedJson, or Invalid with a
    pointer (RFC 6901) per wrong field. No text of the body is repeated, except
    a field name that looks like one.
    """
    if request.content_type != "application/json":
        raise WrongContentType
    return parse_json(await read_bytes(request), model, most=MOST_OF_A_FORM)


async def read_bytes(
    request: web.Request, *, most: int = SMALL, patience: float = PATIENCE
) -> bytes:
    """The whole body; never keeps more than *most* bytes, nor waits longer than *patience*.

    Every body is read by this, and taken apart afterwards: whoever sends one
    without end costs what is kept of it. One that is compressed is not unpacked;
    it could become anything, and nobody needs one. Raises WrongContentType for
    that, BodyTooLarge, TooSlow or BodyLost. A body can be read once.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise WrongContentType
    if request.content.is_eof():  # it came with its head, as nearly all do: nobody is waited for
        return _come(request, most)
    body = bytearray()
    async with _reading(request, most, patience):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise BodyTooLarge
    return bytes(body)


def _come(request: web.Request, most: int) -> bytes:
    """A body of which all is there."""
    try:
        body = request.content.read_nowait()
    except (web.RequestPayloadError, ConnectionError):
        raise BodyLost from None
    if len(body) > most:
        raise BodyTooLarge
    return body


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


def parse_json(body: bytes, model: type[ModelT], *, most: int) -> ModelT:
    """As `read_json`, from bytes; a mark of the byte order before them means nothing.

    Raises TooManyValues for more than *most*: making them would hold everybody up.
    """
    if holds_more(body, most):
        raise TooManyValues
    try:
        return model.model_validate_json(body.removeprefix(BOM_UTF8))
    except ValidationError as error:
        items = _items(error)
        if items and items[0]["type"] == "json_invalid":
            raise _unreadable(body) from None
        raise Invalid(_told(items, at="")) from None


def _unreadable(body: bytes) -> MalformedJson | Invalid:
    """What to say of a body that the parser refuses.

    It does so too where an escape is half of a character. Other parsers take that, so who wrote
    it looks for a flaw of the grammar in vain, unless the field is named.
    """
    try:
        found = broken_at(json.loads(body.removeprefix(BOM_UTF8)))
    except (ValueError, RecursionError):
        return MalformedJson()
    return MalformedJson() if found is None else Invalid.at(_pointer(found), wrong_values.HALF)


def broken_at(value: Any) -> tuple[str | int, ...] | None:
    """Where in *value* the first text, or name, is that holds half of a character."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str) and _HALVES.search(one):
            return place
        members = one.items() if isinstance(one, dict) else ()
        items = enumerate(one) if isinstance(one, list) else ()
        below = [((*place, name), inner) for name, inner in [*members, *items]]
        if any(isinstance(name, str) and _HALVES.search(name) for (*_, name), _ in below):
            return place
        waiting += reversed(below)
    return None


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


def _everything(_name: str) -> bool:
    return True


async def read_fields(
    request: web.Request, ours: Callable[[str], bool] = _everything
) -> MultiDictProxy[str]:
    """Read a plain HTML form's text fields, in UTF-8, without what nobody sees at their edges.

    A field whose name is not *ours* is passed over, whatever is in it; a file in
    one of ours is wrong. An empty body without a type is an empty form (RFC 8058
    senders do that).
    """
    body = await read_bytes(request)
    pairs: Iterable[tuple[str, str | None]] = ()
    if request.content_type == "multipart/form-data":
        pairs = _parts(body, request.headers["Content-Type"])
    elif request.content_type == "application/x-www-form-urlencoded":
        pairs = _pairs(body)
    elif body:
        raise WrongContentType
    named = ((trimmed(name), value) for name, value in pairs)
    return MultiDictProxy(MultiDict((name, _text(name, v)) for name, v in named if ours(name)))


def _text(name: str, value: str | None) -> str:
    if value is None or _is_broken(value):
        raise Invalid.at(_pointer([name]), "must be text in UTF-8")
    return trimmed(value)


def _is_broken(value: str) -> bool:
    """Whether bytes that are not UTF-8 were among those of *value*."""
    return any("\udc80" <= character <= "\udcff" for character in value)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode(errors=_KEPT).strip(),
            keep_blank_values=True,
            errors=_KEPT,
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Invalid.at("", "is not a well-formed form") from None


def _parts(body: bytes, content_type: str) -> list[tuple[str, str | None]]:
    """Name and text of each part; None for a file."""
    try:
        parts = multipart.parts(body, content_type)
    except NotMultipart:
        raise Invalid.at("", "is not a well-formed form") from None
    return [
        (
            part.name.decode(errors=_KEPT),
            None if part.is_file else part.content.decode(errors=_KEPT),
        )
        for part in parts
    ]


def field_errors(error: ValidationError, *, at: str = "") -> list[FieldError]:
    """What *error* says, by pointer, without quoting input; the first twenty."""
    return _told(_items(error), at)


def _items(error: ValidationError) -> Sequence[Any]:
    """What was wrong; nothing of thousands of flaws, which are made at once or not at all."""
    if error.error_count() > _MOST_READ:
        return ()
    return error.errors(include_url=False, include_input=False)


def _told(items: Sequence[Any], at: str) -> list[FieldError]:
    return [
        FieldError(
            at + _pointer(item["loc"]),
            wrong_values.in_words(item),
            _FLAWS.get(item["type"], Flaw.OTHER),
        )
        for item in items[:_MOST_ERRORS]
    ] or [FieldError(at, f"has more than {_MOST_READ} wrong fields")]


def _pointer(location: Sequence[str | int] | Iterable[str | int]) -> str:
    """RFC 6901, cut before the first name that the caller made up."""
    parts: list[str] = []
    for part in location:
        if isinstance(part, str) and not _SAFE_NAME.fullmatch(part):
            break
        parts.append(f"/{part}")
    return "".join(parts)
