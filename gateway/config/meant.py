"""Which setting somebody probably meant by a name that is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from gateway.config import secrets


def meant(settings: type[BaseModel], path: Sequence[str]) -> str | None:
    """The name in the same table that is most like the last of *path*; None: none is."""
    *tables, wrong = path
    fields = {name for model in _at([settings], tables) for name in model.model_fields}
    known = sorted(key for name in fields for key in secrets.keys_of((*tables, name)))
    found = get_close_matches(wrong, known, n=1)
    return found[0] if found else None


def _at(models: Sequence[type[BaseModel]], path: Sequence[str]) -> Sequence[type[BaseModel]]:
    """What may stand at *path*; beside a table's own names, those that its writer gives."""
    for name in path:
        fields = [one.model_fields[name] for one in models if name in one.model_fields]
        models = [model for field in fields for model in _models(field.annotation)] or models
    return models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The tables in a type, however they are wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
