"""An example of what a schema describes, for whoever reads the document: it fits, and is invented.

Made of the schema alone, so that no example can outlive a field. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SCHEMAS: Final = "#/components/schemas/"
_OF_FORMATS: Final[Mapping[str, str]] = {
    "date-time": "2026-11-27T12:15:07Z",
    "date": "2026-11-27",
    "email": "ada@example.org",
    "uri": "https://www.acme.example/",
    "uri-reference": "/problems/invalid",
}
# By the name of the field, or how it ends: what one looks like.
_OF_NAMES: Final[Mapping[str, str]] = {
    "message_id": "msg_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "subject_id": "sub_8v3q0k2m5n7p9r1s4t6u",
    "consent_id": "con_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "campaign_id": "cmp_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "erasure_id": "era_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "request_id": "req_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "event_id": "evt_4d7f0a2c5e8b1d3f6a9c2e5b",
    "change_id": "chg_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "hold_id": "hld_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "message_id_header": "0n6k1d5q2v7p8r9s4t3u1w0x2y@acme.example",
    "id": "con_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "kind": "consent",
    "outcome": "sent",
    "purpose": "newsletter",
    "purposes": "newsletter",
    "sender": "acme",
    "locale": "en",
    "language": "en",
    "form": "newsletter",
    "template": "welcome",
    "reference": "welcome-1",
    "reason": "withdrawn",
    "title": "Newsletter",
    "email": "ada@example.org",
    "next": "1_0n6k1d5q2v7p8r9s4t3u1w0x2y",
    "hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "name": "Acme",
}


def sample(schema: Mapping[str, Any], shapes: Mapping[str, Any], name: str = "") -> Any:
    """A value that *schema* lets pass; *shapes* are those that it may name."""
    if "$ref" in schema:
        return sample(shapes[schema["$ref"].removeprefix(_SCHEMAS)], shapes, name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema or schema.get("type") == "object":
        return _object(schema, shapes)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            some = [one for one in schema[several] if one.get("type") != "null"]
            return sample(some[0], shapes, name) if some else None
    return _plain(schema, shapes, name)


def _object(schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """With every field that it may have; of several kinds of one thing the first."""
    kinds = schema.get("oneOf", ())
    fields = {**schema.get("properties", {}), **(kinds[0].get("properties", {}) if kinds else {})}
    made = {name: sample(shape, shapes, name) for name, shape in fields.items()}
    more = schema.get("additionalProperties")
    if not fields and isinstance(more, Mapping):
        made["newsletter"] = sample(more, shapes)
    return made


def _plain(schema: Mapping[str, Any], shapes: Mapping[str, Any], name: str) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    match kind:
        case "array":
            wanted = max(schema.get("minItems", 1), 1)
            return [sample(schema.get("items", {}), shapes, name) for _ in range(wanted)]
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            least = max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
            return max(least, 250) if name == "code" else least
        case "boolean":
            return True
        case _:
            return None


def _text(schema: Mapping[str, Any], name: str) -> str:
    if (formed := _OF_FORMATS.get(schema.get("format", ""))) is not None:
        return formed
    if name in _OF_NAMES:
        return _OF_NAMES[name]
    if name.endswith("_at"):
        return _OF_FORMATS["date-time"]
    if name.endswith("url"):
        return _OF_FORMATS["uri"]
    length: int = max(schema.get("minLength", 1), 1)
    return "…" * length
