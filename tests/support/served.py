"""What the table of routes has, as requests that somebody without key, link or session makes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.http.endpoints import Endpoint
from gateway.process import routes

ROWS = (*routes.API, *routes.PAGES, *routes.OWN_PAGES, *routes.DESK, *routes.OPERATIONS)

# What a stranger puts where a path wants something; none of it is theirs. A new kind of part has
# to be told here.
PARTS = {
    "token": ("A" * 22, "A" * 43),
    "form": ("signup", "linked", "nobody"),
    "slug": ("invalid",),
    "hash": ("sha256:" + "0" * 64,),
    "id": tuple(kind + "_" + "0" * 26 for kind in ("msg", "evt", "req", "era", "hol", "cmp")),
    "signed": ("A" * 43,),
    "name": ("record",),
    "file": ("reference.js",),
}
_PART = re.compile(r"\{(\w+)[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def paths(row: Endpoint) -> list[str]:
    """What a stranger asks for to see what is there."""
    found = [row.path]
    for part in _PART.findall(row.path):
        found = [_PART.sub(value, path, count=1) for path in found for value in PARTS[part]]
    return found


def requests() -> Iterator[tuple[str, str]]:
    """Every method and path, each once."""
    yield from dict.fromkeys((row.method, path) for row in ROWS for path in paths(row))
