"""The OpenAPI 3.1 document, made of the table that the routes are made of: neither can lie."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway.http import endpoints, frame, reasons, repeats, samples
from gateway.http.endpoints import Endpoint, Media
from gateway.http.parsing import FORM_TYPES

_SCHEMAS = "#/components/schemas/"
_REFERENCE = re.compile(rf'"{_SCHEMAS}([^"]+)"')
_PARAMETER = re.compile(r"\{(\w+)(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}")
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
_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
_PAGE_CONTENT = {"text/html": {"schema": {"type": "string"}}}


class Document:
    """The OpenAPI 3.1 document; written when first asked for, not at every start."""

    def __init__(self, rows: Sequence[Endpoint], public_url: str) -> None:
        self._rows = rows
        self._public_url = public_url

    @cached_property
    def parsed(self) -> dict[str, Any]:
        return document(self._rows, public_url=self._public_url)

    @cached_property
    def body(self) -> bytes:
        return json.dumps(self.parsed).encode()


DOCUMENT = web.AppKey("openapi_document", Document)


def add_routes(app: web.Application, served: Iterable[Endpoint], *, public_url: str) -> None:
    """Route every endpoint, and serve the document of them all."""

    async def openapi_json(_request: web.Request) -> web.Response:
        return web.Response(body=written.body, content_type="application/json")

    rows = [
        *served,
        Endpoint(
            "GET",
            "/openapi.json",
            "This document",
            openapi_json,
            {200: Media("application/json")},
            tags=("operator",),
        ),
    ]
    app[DOCUMENT] = written = Document(rows, public_url)
    endpoints.serve(app, rows, expect=frame.expect)


def document(rows: Sequence[Endpoint], *, public_url: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    refs, schemas = _schemas(rows)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = _PARAMETER.sub(r"{\1}", row.path)
        method, known = row.method.lower(), paths.setdefault(path, {})
        if method in known:  # routes that tell longer tokens apart are one path for whoever reads
            known[method]["parameters"] = _path_parameters(row)
        else:
            known[method] = _operation(row, refs)
    schemas["Problem"] = _PROBLEM
    for operation in (one for methods in paths.values() for one in methods.values()):
        for answer in operation["responses"].values():
            for kind, content in answer.get("content", {}).items():
                if kind == "application/json" and content["schema"] != {"type": "object"}:
                    content |= _shown(samples.sample(content["schema"], schemas))
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
            "schemas": {name: schemas[name] for name in _reached(paths, schemas)},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models(row: Endpoint) -> list[tuple[Any, JsonSchemaMode]]:
    requests: list[tuple[Any, JsonSchemaMode]] = [
        (model, "validation") for model in (row.request, row.form) if model is not None
    ]
    answers = [model for answer in row.responses.values() for model in _kinds(answer)]
    return requests + [(m, "serialization") for m in answers if not isinstance(m, Media)]


def _kinds(answer: Any) -> tuple[Any, ...]:
    if answer is None:
        return ()
    return answer if isinstance(answer, tuple) else (answer,)


def _schemas(rows: Sequence[Endpoint]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Where each model's schema is, and all the schemas."""
    wanted = list(dict.fromkeys(pair for row in rows for pair in _models(row)))
    refs, definitions = TypeAdapter.json_schemas(
        [(model, mode, TypeAdapter(model)) for model, mode in wanted],
        ref_template=f"{_SCHEMAS}{{model}}",
    )
    return dict(refs), definitions.get("$defs", {})


def _reached(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """The schemas that something names: pydantic also defines the types behind our values."""
    reached, left = set[str](), [json.dumps(paths)]
    while left:
        for name in set(_REFERENCE.findall(left.pop())) - reached:
            reached.add(name)
            left.append(json.dumps(schemas[name]))
    return [name for name in schemas if name in reached]


def _operation(row: Endpoint, refs: Mapping[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(row),
        "summary": row.summary,
        "tags": list(row.tags),
        "responses": {
            **{str(status): _response(status, m, refs) for status, m in row.responses.items()},
            "default": _problem(row),
        },
    }
    if parameters := [*_path_parameters(row), *_query_parameters(row)]:
        operation["parameters"] = parameters
    if bodies := _bodies(row, refs):
        operation["requestBody"] = {
            "required": row.request is not None or row.body is not None,
            "content": bodies,
        }
    if row.scope is not None:
        operation["security"] = [{"apiKey": []}, *([{}] if row.open_to_all else [])]
        without = "; less is told without a key" if row.open_to_all else ""
        operation["description"] = f"Scope `{row.scope}`{without}."
    return operation


def _name(row: Endpoint) -> str:
    if not row.people or row.request is not None:
        return getattr(row.handler, "__name__", row.path)
    words = re.findall(r"[a-z0-9]+", _PARAMETER.sub(r"\1", row.path))
    return "_".join(["page", row.method.lower(), *words])


def _bodies(row: Endpoint, refs: Mapping[Any, Any]) -> dict[str, Any]:
    bodies: dict[str, Any] = {}
    if row.request is not None:
        bodies["application/json"] = {"schema": refs[row.request, "validation"]}
        if row.example is not None:
            bodies["application/json"] |= _shown(row.example)
    if row.body is not None:
        bodies[row.body.kind] = {"schema": _raw(row.body.kind), **_shown(row.example)}
    if row.form is not None:
        bodies |= {kind: {"schema": refs[row.form, "validation"]} for kind in FORM_TYPES}
    return bodies


def _shown(value: Any) -> dict[str, Any]:
    """An example, in the form that every reader of such documents knows."""
    return {"examples": {"example": {"value": value}}}


def _problem(row: Endpoint) -> dict[str, Any]:
    if not row.people:
        return {"description": "A problem", "content": _PROBLEM_CONTENT}
    both = _PAGE_CONTENT | (_PROBLEM_CONTENT if row.request is not None else {})
    return {"description": "A page that says what went wrong", "content": both}


_DESCRIPTIONS = {
    200: "Done",
    201: "Made",
    202: "Accepted",
    204: "Done",
    303: "To the page that comes next",
}


def _response(status: int, answer: Any, refs: Mapping[Any, Any]) -> dict[str, Any]:
    content = {}
    for shape in _kinds(answer):
        if isinstance(shape, Media):
            kind = shape.kind.partition(";")[0]  # without its charset
            content[kind] = {"schema": _raw(kind)}
        else:
            content["application/json"] = {"schema": refs[shape, "serialization"]}
    if content.get("application/json") == {"schema": {"type": "string"}}:
        content["application/json"] = {"schema": {"type": "object"}}
    described = {"description": _DESCRIPTIONS.get(status, f"Status {status}")}
    return described | ({"content": content} if content else {})


def _raw(kind: str) -> dict[str, Any]:
    """An object, text, or bytes that nobody must read as text."""
    if kind.endswith("+json"):
        return {"type": "object"}
    is_text = kind.startswith("text/") or kind in ("application/json", "application/jsonl")
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}


def _path_parameters(row: Endpoint) -> list[Mapping[str, Any]]:
    found = [
        {"name": match[1], "in": "path", "required": True, "schema": _path_schema(match[2])}
        for match in _PARAMETER.finditer(row.path)
    ]
    headers = ((repeats.PARAMETER, row.idempotent), (reasons.PARAMETER, row.says_why))
    return [*found, *(header for header, wanted in headers if wanted), *row.headers]


def _path_schema(pattern: str | None) -> dict[str, Any]:
    return {"type": "string", **({"pattern": f"^{pattern}$"} if pattern else {})}


def _query_parameters(row: Endpoint) -> list[dict[str, Any]]:
    if row.query is None:
        return []
    schema = row.query.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _in_address(shape)}
        for name, shape in schema["properties"].items()
    ]


def _in_address(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of a value in an address: it may be missing, and is never null.

    Left as a choice with null, it has no type of its own, and readers of the document show none.
    """
    choices = [one for one in shape.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) != 1:
        return dict(shape)
    kept = {name: said for name, said in shape.items() if name not in ("anyOf", "default")}
    return {**kept, **choices[0]}
