"""The API as a table: each endpoint says what it takes, answers and requires.

The table makes the routes and the OpenAPI 3.1 document, so neither can lie about
the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway.api_keys import API_KEYS, CALLER, Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SCHEMAS = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)(:[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457; `errors` names fields by RFC 6901 pointer.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_PROBLEM_ANSWER = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}Problem"}}},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body is done once; kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


@dataclass(frozen=True)
class Endpoint:
    """One row of the table; call it as the handler that it names."""

    method: str
    path: str
    summary: str
    handler: Handler
    responses: Mapping[int, Any]
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    scope: Scope | None = None
    idempotent: bool = False
    media_types: Sequence[str] = ("application/json",)
    tags: Sequence[str] = ()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Tell the caller apart before the body is read; then handle."""
        if self.scope is not None:
            keys = request.app[API_KEYS]
            request[CALLER] = await keys.authenticate(request, self.scope)
        return await self.handler(request)


def endpoint(
    method: str,
    path: str,
    *,
    summary: str,
    responses: Mapping[int, Any],
    request: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    scope: Scope | None = None,
    idempotent: bool = False,
    media_types: Sequence[str] = ("application/json",),
    tags: Sequence[str] = (),
) -> Callable[[Handler], Endpoint]:
    """Make a handler a row of the table.

    *responses* maps a status to a model, a union of models, or None for an
    answer without a JSON body. Problems need no mention.
    """

    def wrap(handler: Handler) -> Endpoint:
        return Endpoint(
            method,
            path,
            summary,
            handler,
            responses,
            request=request,
            query=query,
            scope=scope,
            idempotent=idempotent,
            media_types=media_types,
            tags=tags,
        )

    return wrap


def add_routes(app: web.Application, endpoints: Iterable[Endpoint], *, public_url: str) -> None:
    """Route every endpoint, and serve the document of them all."""
    rows = list(endpoints)
    body = json.dumps(document(rows, public_url=public_url)).encode()

    async def serve_document(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    for row in rows:
        app.router.add_route(row.method, row.path, _as_handler(row))
    app.router.add_get("/openapi.json", serve_document)


def document(endpoints: Sequence[Endpoint], *, public_url: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    refs, schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for row in endpoints:
        path = _PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Consent gateway",
            "version": version("consent-gateway"),
            "summary": "Consent, permission and delivery of email.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _as_handler(row: Endpoint) -> Handler:
    """A coroutine function, which is what the router asks for."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await row(request)

    return handle


def _models(row: Endpoint) -> list[tuple[Any, JsonSchemaMode]]:
    requests: list[tuple[Any, JsonSchemaMode]] = [
        (model, "validation") for model in (row.request, row.query) if model is not None
    ]
    return requests + [(m, "serialization") for m in row.responses.values() if m is not None]


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Where each model's schema is, and all the schemas."""
    wanted = list(dict.fromkeys(pair for row in endpoints for pair in _models(row)))
    refs, definitions = TypeAdapter.json_schemas(
        [(model, mode, TypeAdapter(model)) for model, mode in wanted],
        ref_template=f"{_SCHEMAS}{{model}}",
    )
    return dict(refs), definitions.get("$defs", {})


def _operation(row: Endpoint, refs: Mapping[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": getattr(row.handler, "__name__", row.path),
        "summary": row.summary,
        "tags": list(row.tags),
        "responses": {
            **{str(status): _response(status, m, refs) for status, m in row.responses.items()},
            "default": _PROBLEM_ANSWER,
        },
    }
    if parameters := [*_path_parameters(row), *_query_parameters(row)]:
        operation["parameters"] = parameters
    if row.request is not None:
        content = {"schema": refs[row.request, "validation"]}
        operation["requestBody"] = {
            "required": True,
            "content": {kind: content for kind in row.media_types},
        }
    if row.scope is not None:
        operation["security"] = [{"apiKey": []}]
        operation["description"] = f"Scope `{row.scope}`."
    return operation


def _response(status: int, model: Any, refs: Mapping[Any, Any]) -> dict[str, Any]:
    description = {200: "Done", 202: "Accepted"}.get(status, f"Status {status}")
    if model is None:
        return {"description": description}
    schema = refs[model, "serialization"]
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path_parameters(row: Endpoint) -> list[dict[str, Any]]:
    found = [
        {"name": match[1], "in": "path", "required": True, "schema": {"type": "string"}}
        for match in _PARAMETER.finditer(row.path)
    ]
    return [*found, _IDEMPOTENCY_KEY] if row.idempotent else found


def _query_parameters(row: Endpoint) -> list[dict[str, Any]]:
    if row.query is None:
        return []
    schema = row.query.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema["properties"].items()
    ]
