"""A generated client calls every operation of the document, one after another.

Runs in the environment of the generator, beside its package, and knows nothing of ours:

    python through_the_api.py PACKAGE BASE KEY DOCUMENT.json KNOWN.json

`KNOWN.json` has what no document can make up: bodies by operation, values by parameter. What
an answer names (`message_id`) is taken along to the next. Prints a line of JSON for each call.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import re
import sys
import typing
from pathlib import Path
from typing import Any

# Which of the ids that answers name stands in a path.
IDS = {
    "/v1/audit/events/": "event_id",
    "/v1/campaigns/": "campaign_id",
    "/v1/consents/": "consent_id",
    "/v1/erasures/": "erasure_id",
    "/v1/holds/": "hold_id",
    "/v1/messages/": "message_id",
    "/v1/rights-requests/": "request_id",
    "/v1/subjects/": "subject_id",
}


class Caller:
    """What was learned so far, and the package that calls."""

    def __init__(self, package: str, client: Any, known: dict[str, Any]) -> None:
        self._package = package
        self._client = client
        self._bodies = known["bodies"]
        self._given = known["values"]
        self._learnt: dict[str, Any] = {}

    def call(self, path: str, operation: dict[str, Any]) -> dict[str, Any]:
        name = operation["operationId"]
        tag = re.sub(r"\W+", "_", operation["tags"][0])
        module = importlib.import_module(f"{self._package}.api.{tag}.{name}")
        answer = module.sync_detailed(
            client=self._client, **self._arguments(module, path, operation)
        )
        parsed = answer.parsed
        if hasattr(parsed, "to_dict"):
            self._learn(parsed.to_dict())
        kind = "" if parsed is None else type(parsed).__name__
        return {"operation": name, "status": int(answer.status_code), "parsed": kind}

    def _arguments(self, module: Any, path: str, operation: dict[str, Any]) -> dict[str, Any]:
        named = inspect.signature(module.sync_detailed).parameters
        values = {one: self._value(one, path) for one in named if one in self._wanted(operation)}
        if "body" in named:
            values["body"] = self._body(module, operation)
        return values

    def _wanted(self, operation: dict[str, Any]) -> set[str]:
        """What must be said; names as Python has them."""
        needed = (one for one in operation.get("parameters", ()) if one["required"])
        return {re.sub(r"\W", "_", one["name"]).lower() for one in needed}

    def _value(self, name: str, path: str) -> Any:
        if name == "id":
            name = next(one for start, one in IDS.items() if path.startswith(start))
        return self._given.get(name) or self._learnt[name]

    def _body(self, module: Any, operation: dict[str, Any]) -> Any:
        content = operation["requestBody"]["content"]
        (kind, said), *_ = content.items()
        shown = said.get("examples", {}).get("example", {})
        example = self._bodies.get(operation["operationId"], shown.get("value"))
        wanted = typing.get_type_hints(module.sync_detailed)["body"]
        models = [one for one in (wanted, *typing.get_args(wanted)) if hasattr(one, "from_dict")]
        if kind != "application/json":
            types = importlib.import_module(f"{self._package}.types")
            return types.File(payload=io.BytesIO(example.encode()), file_name="mail")
        return models[0].from_dict(example)

    def _learn(self, said: Any) -> None:
        if isinstance(said, dict):
            for name, value in said.items():
                if name.endswith("_id") and isinstance(value, str):
                    self._learnt[name] = value
                self._learn(value)
        elif isinstance(said, list):
            for one in said:
                self._learn(one)


def main(package: str, base: str, key: str, document: str, known: str) -> None:
    client = importlib.import_module(package).AuthenticatedClient(base_url=base, token=key)
    caller = Caller(package, client, json.loads(Path(known).read_text()))
    paths = json.loads(Path(document).read_text())["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                print(json.dumps(caller.call(path, operation)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
