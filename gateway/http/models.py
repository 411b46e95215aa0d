"""What the bodies of the API are made of; each resource has its own beside its handlers.

Each field of them is a promise to the outside (`/openapi.json` is made of them).
Addresses come in and never go out.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

Omissible = Annotated[str | None, Field(exclude_if=lambda value: value is None)]

# What a schema says of a field that one kind of body has, and another has not.
SAID: Final[dict[str, Any]] = {"type": "string"}
NOT_SAID: Final[dict[str, Any]] = {"type": "null"}


class Incoming(BaseModel):
    """What a caller sends: kinds are exact, and a field we do not know is wrong."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answer(BaseModel):
    """What a caller is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def exactly_one(model: BaseModel, *names: str) -> None:
    """For validators: raise ValueError unless just one of these fields was said."""
    if sum(getattr(model, name) is not None for name in names) != 1:
        raise ValueError(f"must have exactly one of {', '.join(names)}")


def one_of(*kinds: dict[str, Any]) -> ConfigDict:
    """Say in the schema what a validator checks, each kind by its required fields."""
    told: Any = [{"required": [next(iter(kind))], "properties": kind} for kind in kinds]
    return ConfigDict(json_schema_extra={"oneOf": told})
