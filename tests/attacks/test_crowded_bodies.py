"""Bodies of a caller that hold millions of values: making them would stop everybody else.

Sixteen megabytes of them kept the whole process for up to 1.7 seconds, in a step that
nobody can interrupt. How long others wait is measured by `benchmarks/bodies.py`.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from delivery import template_files
from gateway.callers.api_keys import Scope
from gateway.http.parsing import SMALL
from gateway.http.values import MOST_OF_ONE, MOST_VALUES
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.posts import kept

SIZE = 16 * 1024 * 1024
PATHS = ("/v1/messages", "/v1/messages/batch")
AROUND = {
    "a list": (b"[", b"]"),
    "messages": (b'{"messages": [', b"]}"),
    "data": (
        b'{"purpose": "newsletter", "content": {"template": "welcome", "data": {"x": [',
        b"]}}}",
    ),
    "members": (b"{", b"}"),
}
WITHIN = {
    "numbers": b"1",
    "texts": b'""',
    "objects": b"{}",
    "lists in lists": b"[[[[]]]]",
    "members": b'"a":1',
    "long numbers": b"9" * 4000,
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("within", WITHIN)
async def test_more_than_can_be_made_at_once_is_refused_before_it_is_made(
    embedded: App, path: str, around: str, within: str
) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)
    begin, end = AROUND[around]
    one = WITHIN[within] + b","
    body = begin + one * ((SIZE - len(begin) - len(end)) // len(one) - 1) + WITHIN[within] + end
    headers = key | {"Content-Type": "application/json", "Idempotency-Key": "a"}

    async with embedded.http.post(path, data=BytesIO(body), headers=headers) as answer:
        problem = await answer.json()

    assert (answer.status, problem["type"]) == (413, "/problems/too-many-values")
    assert await kept(embedded) == 0


@pytest.mark.parametrize("path", ["/forms/signup", "/v1/permissions", "/v1/signups"])
@pytest.mark.parametrize("within", WITHIN)
async def test_so_is_what_a_small_body_can_hold(embedded: App, path: str, within: str) -> None:
    key = await embedded.key(Scope.PERMISSIONS_READ, Scope.SIGNUPS_CREATE)
    one = WITHIN[within] + b","
    body = b'{"profile": [' + one * ((SMALL - 20) // len(one) - 1) + WITHIN[within] + b"]}"
    assert len(body) <= SMALL

    headers = key | {"Content-Type": "application/json"}
    async with embedded.http.post(path, data=BytesIO(body), headers=headers) as answer:
        problem = await answer.json()

    assert (answer.status, problem["type"]) == (413, "/problems/too-many-values")
    assert await kept(embedded) == 0


def rich(fields: int) -> dict[str, Any]:
    """A message with as much data as there is to say of one person."""
    said = {f"field_{n}": f"{n}, and a: comma [{{" for n in range(fields)}
    return {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"template": "rich", "data": {"first_name": "Ada", "said": said}},
        "send_at": "2027-01-04T08:00:00Z",
        "reference": "welcome-1",
    }


async def test_a_thousand_messages_with_much_data_are_taken(
    dialect: str, tmp_path: Path, new_database_url: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_files, "SETTLED", 0.0)
    (folder := tmp_path / "own" / "rich").mkdir(parents=True)
    (folder / "subject.txt").write_text("For {{ first_name }}")
    (folder / "body.txt").write_text("{% for name in said %}{{ name }}{% endfor %}")
    batch = {"messages": [rich(78)] * 1000}
    assert len(json.dumps(batch)) > 2_000_000
    data = BytesIO(json.dumps(batch).encode())
    more = '[templates]\ndirectory = "own"\n'

    async with open_app(tmp_path, new_database_url, dialect, more=more) as app:
        await app.subscribe()
        key = await app.key(Scope.MESSAGES_SEND)
        headers = key | {"Content-Type": "application/json"}
        async with app.http.post("/v1/messages/batch", data=data, headers=headers) as answer:
            results = (await answer.json())["results"]

    assert answer.status == 200
    assert {one["status"] for one in results} == {"queued"}


@pytest.mark.parametrize("path", PATHS)
async def test_as_many_mistakes_as_a_body_can_hold_are_told_in_few_words(
    embedded: App, path: str
) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)
    most = MOST_VALUES if path.endswith("batch") else MOST_OF_ONE
    body = json.dumps({f"a{n}": 0 for n in range(most // 2 - 4)}).encode()
    headers = key | {"Content-Type": "application/json"}

    async with embedded.http.post(path, data=BytesIO(body), headers=headers) as answer:
        problem = await answer.json()

    assert (answer.status, problem["type"]) == (422, "/problems/invalid")
    assert len(problem["errors"]) <= 20
