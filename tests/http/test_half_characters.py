"""What is no text that a database keeps: half a character, and NUL, wherever somebody writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.http.test_bounds import raw
from tests.support.apps import App

HALF = "\\ud800"
NUL = "\\u0000"


def places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Where texts are in it."""
    if isinstance(value, str):
        yield ()
    members = value.items() if isinstance(value, Mapping) else ()
    for name, below in members or (enumerate(value) if isinstance(value, list) else ()):
        for place in places(below):
            yield (name, *place)


def put(value: Any, place: tuple[str | int, ...], text: str) -> Any:
    if not place:
        return text
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[place[0]] = put(copy[place[0]], place[1:], text)
    return copy


async def with_examples(app: App) -> list[tuple[str, str, Any]]:
    """Method, path and body of everything that a program posts."""
    document = await (await app.http.get("/openapi.json")).json()
    kinds = [
        (
            method.upper(),
            path.replace("{form}", "signup"),
            operation["requestBody"]["content"].get("application/json", {}),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation and "{id}" not in path
    ]
    return [
        (method, path, kind["examples"]["example"]["value"])
        for method, path, kind in kinds
        if "examples" in kind
    ]


@pytest.mark.parametrize("bad", [HALF, NUL], ids=["half a character", "NUL"])
async def test_a_body_with_text_that_is_none_is_refused_by_its_field(app: App, bad: str) -> None:
    headers = await app.key() | {"Content-Type": "application/json", "Access-Reason": "ticket-17"}
    wrong = []

    for method, path, example in await with_examples(app):
        for place in places(example):
            body = json.dumps(put(example, place, "MARK")).replace("MARK", f"a{bad}b")
            async with app.http.request(method, path, data=body, headers=headers) as answer:
                said = await answer.json(content_type=None)
            pointer = "".join(f"/{part}" for part in place)
            if bad == HALF and [one["pointer"] for one in said.get("errors", ())] != [pointer]:
                wrong.append((path, pointer, answer.status, said))
            if answer.status >= 500:
                wrong.append((path, pointer, answer.status, said))

    assert wrong == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada\ud800@example.org"),
        ("profile.first_name", "\ud800"),
        ("profile.first_name", "A\x00da"),
        ("purpose", "\x00"),
        ("texts", "\udfff"),
    ],
)
async def test_a_form_with_text_that_is_none_is_no_fault_of_ours(
    app: App, field: str, value: str
) -> None:
    body = f"{field}={quote(value.encode('utf-8', 'surrogatepass'))}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await app.http.post("/forms/signup", data=body, headers=form)

    assert answer.status == 422


async def test_a_header_with_bytes_that_are_no_text_is_refused_by_its_name(app: App) -> None:
    key = (await app.key())["Authorization"]
    head = f"GET /v1/subjects/sub_{'0' * 26}/dossier HTTP/1.1\r\nHost: gateway.example\r\n"
    head += f"Connection: close\r\nAuthorization: {key}\r\nAccess-Reason: "

    status, body = await raw(app.base, head.encode() + b"a\xffb\r\n\r\n")

    assert " 422 " in status
    assert [one["pointer"] for one in json.loads(body)["errors"]] == ["/Access-Reason"]
