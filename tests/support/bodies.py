"""Bodies that a model of the API must refuse, and where."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from gateway.errors import Invalid
from gateway.http.parsing import parse_json


def pointers(body: object, model: type[BaseModel]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        parse_json(json.dumps(body).encode(), model, most=200_000)
    return [error.pointer for error in caught.value.errors]
