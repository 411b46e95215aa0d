"""The OpenAPI document is valid, whole and true."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from gateway.api.contents import Content
from gateway.api.targets import Target
from gateway.api.withdrawals import WithdrawalRequest
from gateway.http.endpoints import Endpoint
from gateway.process import routes
from tests.support.apps import App

MODELS = {model.__name__: model for model in (Content, Target, WithdrawalRequest)}
EXAMPLES = [row for row in routes.API if row.example is not None and row.request is not None]


async def document_of(app: App) -> dict[str, Any]:
    async with app.http.get("/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        document: dict[str, Any] = await answer.json()
        return document


async def test_the_document_is_valid(embedded: App) -> None:
    document = await document_of(embedded)

    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "http://gateway.example"}]


async def test_everything_that_is_served_is_in_the_document(embedded: App) -> None:
    document = await document_of(embedded)
    listed = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    wanted = {("GET", "/docs"), ("GET", "/readyz"), ("POST", "/v1/signups")}
    rows = [*routes.API, *routes.PAGES, *routes.OWN_PAGES, *routes.OPERATIONS]
    served = {
        (row.method, re.sub(r"\{(\w+)[^{}]*(\{[^{}]*\}[^{}]*)*\}", r"{\1}", row.path))
        for row in rows
    }

    assert wanted | served <= listed
    for method, path in listed:
        concrete = re.sub(r"\{\w+\}", "A" * 43, path)
        async with embedded.http.request(method, concrete, allow_redirects=False) as answer:
            assert answer.status != 405, (method, path)


async def test_every_shape_is_one_that_something_takes_or_answers(embedded: App) -> None:
    async with embedded.http.get("/openapi.json") as answer:
        document = await answer.json()

    whole = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in whole, name


async def test_the_document_lets_the_tokens_of_mails_and_of_fresh_links_through(
    embedded: App,
) -> None:
    async with embedded.http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]

    def lets_through(token: str, method: str, path: str) -> bool:
        (parameter,) = paths[path][method]["parameters"]
        return re.search(parameter["schema"].get("pattern", ""), token) is not None

    of_mail, fresh = "A" * 22, "A" * 43
    for path in ("/why/{token}", "/preferences/{token}"):
        assert lets_through(of_mail, "get", path)
        assert lets_through(fresh, "get", path)
    assert lets_through(of_mail, "post", "/preferences/{token}")
    assert not lets_through(of_mail, "post", "/why/{token}"), "there is nothing to post to it"


async def test_every_parameter_has_one_type_and_may_be_missing_but_not_null(embedded: App) -> None:
    document = await document_of(embedded)
    schemas, seen = document["components"]["schemas"], 0

    for path, methods in document["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                shape = parameter["schema"]
                if "$ref" in shape:
                    shape = schemas[shape["$ref"].rpartition("/")[2]]
                assert isinstance(shape.get("type"), str), (path, parameter["name"])
                assert shape.get("default", "") is not None, (path, parameter["name"])
                seen += 1

    assert seen > 100


async def test_every_operation_has_a_name_of_its_own(embedded: App) -> None:
    document = await document_of(embedded)
    names = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row.path)
def test_every_example_is_what_the_endpoint_takes(row: Endpoint) -> None:
    assert row.request is not None

    row.request.model_validate(row.example)


async def test_every_example_of_the_document_fits_its_schema(embedded: App) -> None:
    document = await document_of(embedded)
    shapes, tried, answered = document["components"], 0, 0
    for path, methods in document["paths"].items():
        for operation in methods.values():
            answers = operation["responses"].values()
            for one in (operation.get("requestBody", {}), *answers):
                for kind, body in one.get("content", {}).items():
                    for shown in body.get("examples", {}).values():
                        assert "json" in kind or isinstance(shown["value"], str)
                        validator = OAS31Validator({**body["schema"], "components": shapes})
                        faults = [fault.message for fault in validator.iter_errors(shown["value"])]
                        assert faults == [], (path, kind)
                        tried += 1
                        answered += one is not operation.get("requestBody")

    assert tried - answered >= len(EXAMPLES)
    assert answered > 30


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("Target", {"email": "ada@example.org"}, True),
        ("Target", {"email": None, "subject_id": "sub_1"}, True),
        ("Target", {"email": "ada@example.org", "subject_id": "sub_1"}, False),
        ("Target", {}, False),
        ("Content", {"template": "welcome", "data": {}}, True),
        ("Content", {"subject": "a", "text": "b"}, True),
        ("Content", {"subject": "a", "html": "b", "text": None}, True),
        ("Content", {"subject": "a"}, False),
        ("Content", {"template": "a", "text": "b"}, False),
        ("Content", {"subject": "a", "text": "b", "data": {"c": 1}}, False),
        ("WithdrawalRequest", {"purpose": "a"}, True),
        ("WithdrawalRequest", {"all": True}, True),
        ("WithdrawalRequest", {"purpose": "a", "all": True}, False),
        ("WithdrawalRequest", {}, False),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_schema_says_what_only_a_validator_could(
    embedded: App, name: str, value: dict[str, Any], fits: bool
) -> None:

    document = await document_of(embedded)
    if name == "WithdrawalRequest":
        value = {"to": {"subject_id": "sub_1"}, "kind": "withdraw", "channel": "phone"} | value
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}

    assert OAS31Validator(schema).is_valid(value) is fits
    try:
        MODELS[name].model_validate(value)
    except ValueError:
        assert not fits
    else:
        assert fits
