"""What became of the messages of one request, and how that is remembered for its repetition.

The document has the shape of the API's answers, so that one reader does for
every release: what an earlier one remembered is read here, and a process of an
earlier one, where one may run beside this, answers with what it finds.
Whoever changes that shape adds a reader for the new one and keeps this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consent.model import Reason, Refused


@dataclass(frozen=True, slots=True)
class Queued:
    message: str
    send_at_passed: bool = False  # it was to be sent earlier, and is now


@dataclass(frozen=True, slots=True)
class Told:
    """One that its caller was told about before anybody decided; remembered as it was told."""

    answer: Mapping[str, Any]


Outcome = Queued | Refused | Told


def document(outcomes: Sequence[Outcome], *, batch: bool) -> bytes | None:
    """What to remember of a request that was answered so; None: nothing of it.

    A refusal is not remembered, for permission may come; a batch is, as a whole.
    """
    if batch:
        return _written({"results": [_item(outcome) for outcome in outcomes]})
    (outcome,) = outcomes
    return _written(_item(outcome)) if isinstance(outcome, Queued) else None


def read(raw: bytes) -> list[Outcome]:
    """The outcomes of which `document` was made, in order."""
    said = json.loads(raw)
    return [_outcome(item) for item in said.get("results", [said])]


def _written(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode()


def _item(outcome: Outcome) -> Mapping[str, Any]:
    match outcome:
        case Queued():
            queued = {"message_id": outcome.message, "status": "queued"}
            return queued | ({"send_at_passed": True} if outcome.send_at_passed else {})
        case Refused():
            refused = {"reason": outcome.reason, "class": outcome.refusal_class}
            return {"status": "refused", **refused}
        case Told():
            return outcome.answer


def _outcome(item: Mapping[str, Any]) -> Outcome:
    match item["status"]:
        case "queued":
            return Queued(item["message_id"], send_at_passed=item.get("send_at_passed", False))
        case "refused":
            return Refused(Reason(item["reason"]))
        case _:
            return Told(item)
