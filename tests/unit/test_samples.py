"""Examples are made of schemas; that each of the document's fits is in `test_openapi.py`."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.http.samples import sample

SHAPES = {"Inner": {"type": "object", "properties": {"purpose": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"$ref": "#/components/schemas/Inner"}, {"purpose": "newsletter"}, id="name"),
        pytest.param({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1, id="not null"),
        pytest.param({"const": "ok"}, "ok", id="constant"),
        pytest.param({"enum": ["b", "a"]}, "b", id="one of some"),
        pytest.param({"type": "array", "items": {"type": "boolean"}}, [True], id="list"),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 7}},
            {"newsletter": 7},
            id="by name",
        ),
        pytest.param(
            {"type": "string", "format": "date-time"}, "2026-11-27T12:15:07Z", id="moment"
        ),
        pytest.param({}, None, id="anything"),
    ],
)
def test_a_value_is_made_that_fits(schema: dict[str, Any], value: Any) -> None:
    assert sample(schema, SHAPES) == value
