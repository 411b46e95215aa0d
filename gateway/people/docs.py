"""The API as pages: made from what machines read, so they say the same."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import LooseHeaders
from markupsafe import Markup, escape

from gateway.errors import NotFound
from gateway.http import pages, problems, sign_ups
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import HTML, Media, endpoint, page
from gateway.http.openapi import DOCUMENT, Document
from gateway.http.pages import Brand
from gateway.look import looks, resources

_ENGLISH = "en"  # as the document: whoever reads this writes code
_TAGS = ("operator",)
_SCRIPTS: Final = {
    "rapidoc-min.js": "vendor/rapidoc/rapidoc-min.js",
    "reference.js": "pages/docs.js",
}
# The renderer styles its elements one by one. Whatever it may be made to do, it reaches only us.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_OF_SCRIPTS: Final[LooseHeaders] = {
    "Cache-Control": "public, max-age=86400",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}
_REF = "#/components/schemas/"


@endpoint("GET", "/docs", summary="This API, to read", responses={200: HTML}, tags=_TAGS)
async def show(request: web.Request) -> web.StreamResponse:
    """Every call, one at a time; its scripts are ours to serve, and ask for nothing but us."""
    brand = Brand.neutral(request.app[PARTS].config)
    page = pages.rendered(_page("docs", request.app[DOCUMENT], brand), brand)
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@endpoint(
    "GET",
    "/docs/text",
    summary="This API, as one page without a script",
    responses={200: HTML},
    tags=_TAGS,
)
async def show_text(request: web.Request) -> web.StreamResponse:
    """Every endpoint with what it takes and answers; loads nothing and runs nothing."""
    brand = Brand.neutral(request.app[PARTS].config)
    return pages.rendered(_page("docs_text", request.app[DOCUMENT], brand), brand)


@endpoint(
    "GET",
    "/docs/{file:(?:rapidoc-min|reference)[.]js}",
    summary="A script of the page that shows this API",
    responses={200: Media("text/javascript")},
    tags=_TAGS,
)
async def show_script(request: web.Request) -> web.StreamResponse:
    """One of the two, or 304 where the browser has this very one."""
    one = _script(request.match_info["file"])
    response = web.Response(headers=_OF_SCRIPTS)
    response.etag = one.tag
    if any(tagged.value in (one.tag, "*") for tagged in request.if_none_match or ()):
        response.set_status(304)
        return response
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    response.body = one.packed if packs else one.body
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    response.content_type, response.charset = "text/javascript", "utf-8"
    return response


def prepare(app: web.Application) -> None:
    """Make the pages before the first one asks for them."""
    brand = Brand.neutral(app[PARTS].config)
    for name in ("docs", "docs_text"):
        _page(name, app[DOCUMENT], brand)
    prepare_scripts()


def prepare_scripts() -> None:
    """What of it is the same for every configuration."""
    for name in _SCRIPTS:
        _script(name)


@lru_cache(maxsize=8)
def _page(name: str, written: Document, brand: Brand) -> str:
    """Made once: whoever asks for it has sent sixty bytes, and making it takes ten pages' time."""
    document = written.parsed
    return pages.render(
        name,
        locale=_ENGLISH,
        brand=brand,
        version=document["info"]["version"],
        base=document["servers"][0]["url"],
        groups=_groups(document),
        schemas=[_schema(name, shape) for name, shape in document["components"]["schemas"].items()],
        light=looks.light(brand.accent).colour,
        dark=looks.dark(brand.accent).colour,
    )


@dataclass(frozen=True, slots=True)
class _Script:
    """A script as it is served; packed once, for it is large."""

    body: bytes
    packed: bytes
    tag: str


@cache
def _script(name: str) -> _Script:
    body = (resources.templates() / _SCRIPTS[name]).read_bytes()
    return _Script(body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:32])


@page(
    "GET",
    "/problems/{slug:[a-z-]{1,64}}",
    "What a problem document's type means, and what to do",
    tags=_TAGS,
)
async def show_problem(request: web.Request) -> web.StreamResponse:
    """What the `type` of a problem document leads to: what it means, and what to do."""
    found = problems.find(request.match_info["slug"])
    if found is None:
        raise NotFound
    return pages.response(
        request,
        "problem_type",
        locale=_ENGLISH,
        brand=Brand.neutral(request.app[PARTS].config),
        problem=found,
    )


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    scope: str | None
    parameters: list[tuple[str, str, Markup]]
    bodies: list[tuple[str, Markup]]
    answers: list[tuple[str, str, Markup]]
    example: str | None


def _groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, raw in methods.items():
            tag = next(iter(raw["tags"]), "other")
            made = _operation(document, path, method.upper(), raw)
            groups.setdefault(tag, []).append(made)
    return groups


def _operation(
    document: Mapping[str, Any], path: str, method: str, raw: Mapping[str, Any]
) -> Operation:
    bodies = raw.get("requestBody", {}).get("content", {})
    return Operation(
        id=raw["operationId"],
        method=method,
        path=path,
        summary=raw["summary"],
        scope=raw.get("description"),
        parameters=[(p["name"], p["in"], kind(p["schema"])) for p in raw.get("parameters", ())],
        bodies=[(name, kind(body["schema"])) for name, body in bodies.items()],
        answers=[
            (status, name, kind(content["schema"]))
            for status, answer in raw["responses"].items()
            for name, content in (answer.get("content") or {"": {"schema": {}}}).items()
        ],
        example=_curl(document, path, method, raw),
    )


def _curl(
    document: Mapping[str, Any], path: str, method: str, raw: Mapping[str, Any]
) -> str | None:
    """A call that works, but for the names and hashes in it."""
    body = raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "examples" not in body:
        return None
    url = document["servers"][0]["url"] + path.replace("{form}", sign_ups.EXAMPLE_FORM)
    lines = [f"curl -X {method} {url}"]
    if "security" in raw:
        lines.append("  -H 'Authorization: Bearer cgw_…'")
    lines.append("  -H 'Content-Type: application/json'")
    said = json.dumps(body["examples"]["example"]["value"], indent=2, ensure_ascii=False)
    return " \\\n".join([*lines, f"  -d '{said}'"])


def _schema(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    required = raw.get("required", ())
    fields = [
        (field, kind(shape), field in required, shape.get("description", ""))
        for field, shape in raw.get("properties", {}).items()
    ]
    return {"name": name, "about": raw.get("description", ""), "fields": fields, "kind": kind(raw)}


def kind(schema: Mapping[str, Any]) -> Markup:
    """What a value is, in a few words, with links to the shapes that it is made of."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            return Markup(" or ").join(kind(shape) for shape in schema[several])
    if schema.get("type") == "array":
        return escape("list of ") + kind(schema.get("items", {}))
    return Markup(", ").join(escape(word) for word in _words(schema)) or Markup("")


def _words(schema: Mapping[str, Any]) -> Iterator[str]:
    if "const" in schema:
        yield json.dumps(schema["const"])
    elif "enum" in schema:
        yield " | ".join(json.dumps(value) for value in schema["enum"])
    elif "type" in schema:
        yield str(schema["type"])
    for name, said in (
        ("format", "{}"),
        ("minLength", "at least {} long"),
        ("maxLength", "at most {} long"),
        ("minimum", "from {}"),
        ("maximum", "to {}"),
        ("pattern", "{}"),
    ):
        if name in schema:
            yield said.format(schema[name])
