"""What is served, as a table: each endpoint says what it takes, answers and requires.

The table makes the routes, the API's document, and the answer to who is there: a
person, who is shown a page where something goes wrong, or a program.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from gateway.callers.api_keys import Scope
from gateway.errors import ScopeMissing
from gateway.http.authentication import AUTHENTICATION, CALLER, shows_no_key
from gateway.http.parsing import FORM_TYPES

Expect = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass(frozen=True)
class Media:
    """An answer that is no JSON of ours, by its content type."""

    kind: str


HTML = Media("text/html")


@dataclass(frozen=True)
class Endpoint:
    """One row of the table; call it as the handler that it names.

    *form* is what a plain HTML form posts, *people* says that errors are pages, *headers* are
    those that its handler reads, as the document has them,
    *body* is what is posted where that is no JSON, *example* is a body that it takes,
    *open_to_all* that those without *scope* are answered too, as strangers, *says_why* that the
    caller gives a reason (`reasons.py`).
    """

    method: str
    path: str
    summary: str
    handler: Handler
    responses: Mapping[int, Any]
    request: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    body: Media | None = None
    query: type[BaseModel] | None = None
    scope: Scope | None = None
    open_to_all: bool = False
    idempotent: bool = False
    headers: Sequence[Mapping[str, Any]] = ()
    says_why: bool = False
    people: bool = False
    example: Mapping[str, Any] | str | None = None
    tags: Sequence[str] = ()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Tell the caller apart before the body is read; then handle."""
        if self.scope is not None and not (self.open_to_all and shows_no_key(request)):
            await self._tell_apart(request, self.scope)
        return await self.handler(request)

    async def _tell_apart(self, request: web.Request, scope: Scope) -> None:
        try:
            request[CALLER] = await request.app[AUTHENTICATION].authenticate(request, scope)
        except ScopeMissing:
            if not self.open_to_all:
                raise


def endpoint(
    method: str, path: str, *, summary: str, responses: Mapping[int, Any], **more: Any
) -> Callable[[Handler], Endpoint]:
    """Make a handler a row of the table; *more* as in `Endpoint`.

    *responses* maps a status to a model, a union of models, `Media`, a tuple of
    these, or None for an answer without a body. Problems need no mention.
    """

    def wrap(handler: Handler) -> Endpoint:
        return Endpoint(method, path, summary, handler, responses, **more)

    return wrap


def page(
    method: str,
    path: str,
    summary: str,
    *,
    form: type[BaseModel] | None = None,
    statuses: Sequence[int] = (200,),
    tags: Sequence[str] = (),
) -> Callable[[Handler], Endpoint]:
    """As `endpoint`, for what people open: without a script, plain forms are all that it takes."""
    responses = {status: None if status == 303 else HTML for status in statuses}
    return endpoint(
        method, path, summary=summary, responses=responses, form=form, people=True, tags=tags
    )


@dataclass(frozen=True)
class Table:
    """What an app serves, by what the router finds for a request."""

    rows: Mapping[Handler, Endpoint]
    of_people: frozenset[str]  # the first words of the paths that people open
    of_programs: frozenset[str]  # and of those that programs ask; a form is of both
    endings: tuple[str, ...]  # by which the paths of programs are told apart there

    @classmethod
    def of(cls, rows: Mapping[Handler, Endpoint]) -> Self:
        people = {_first(row.path) for row in rows.values() if row.people} - {""}
        asked = [row for row in rows.values() if not row.people or row.request is not None]
        after = {row.path.rpartition("}")[2] for row in asked if _first(row.path) in people}
        programs = frozenset(_first(row.path) for row in asked)
        return cls(rows, frozenset(people), programs, tuple(after - {""}))

    def is_of_people(self, request: web.Request) -> bool:
        """Whether a page is what this request is for; where it is for nothing, what is nearest."""
        row = self.rows.get(request.match_info.handler)
        posts_data = request.method == "POST" and request.content_type not in FORM_TYPES
        if row is not None:
            return row.people and not (row.request is not None and posts_data)
        word = _first(request.path)
        if word not in self.of_people and word not in self.of_programs:
            # Nothing of ours is there, and who asks says it: a browser, an address typed by hand.
            return "text/html" in request.headers.get("Accept", "")
        by_program = word in self.of_programs and (
            posts_data or request.path.endswith(self.endings)
        )
        return word in self.of_people and not by_program


SERVED = web.AppKey("served", Table)


def serve(app: web.Application, rows: Iterable[Endpoint], *, expect: Expect) -> None:
    """Route every endpoint; *expect* answers who waits to be told to go on."""
    handlers = {_as_handler(row): row for row in rows}
    for handler, row in handlers.items():
        if row.method == "GET":  # serves HEAD too, which changes as little
            app.router.add_get(row.path, handler, expect_handler=expect)
        else:
            app.router.add_route(row.method, row.path, handler, expect_handler=expect)
    app[SERVED] = Table.of(handlers)


def wants_page(request: web.Request) -> bool:
    """Say whether a person opened this, rather than a program: known by endpoint, method and form.

    A script that posts to a form without saying what it sends is told so as a program.
    """
    if request.method not in ("GET", "HEAD", "POST"):
        return False  # no browser does that by itself
    table = request.app.get(SERVED)
    return table is not None and table.is_of_people(request)


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


def _as_handler(row: Endpoint) -> Handler:
    """A coroutine function, which is what the router asks for."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await row(request)

    return handle
