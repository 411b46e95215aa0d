"""JSON that some release of ours stored, read name by name.

Names that are not asked for are passed over: a later release may have added
them. What is asked for has the type that was stored, or nothing is read at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from consent.errors import StoredError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Stored:
    """One object; everything raises `StoredError` for what no release wrote.

    The `…_or_none` take a name that is missing for null: an older release may
    have lacked it.
    """

    def __init__(self, document: object) -> None:
        self._document: Mapping[str, Any] = _checked(document, dict)

    @classmethod
    def parse(cls, raw: bytes) -> Stored:
        try:
            return cls(json.loads(raw))
        # Here and below, `from None`: the parser's error quotes what is personal.
        except (ValueError, RecursionError):
            raise StoredError from None

    def text(self, name: str) -> str:
        return _checked(self._document.get(name), str)

    def text_or_none(self, name: str) -> str | None:
        return None if self._is_missing(name) else self.text(name)

    def word(self, name: str, words: type[E]) -> E:
        try:
            return words(self.text(name))
        except ValueError:
            raise StoredError from None

    def number(self, name: str) -> int:
        return _checked(self._document.get(name), int)

    def numbers(self, name: str) -> tuple[int, ...]:
        return tuple(_checked(item, int) for item in _checked(self._document.get(name), list))

    def flag(self, name: str) -> bool:
        """Whether it is set; missing is not."""
        return not self._is_missing(name) and _checked(self._document[name], bool)

    def moment(self, name: str) -> datetime:
        try:
            return datetime.fromisoformat(self.text(name))
        except ValueError:
            raise StoredError from None

    def moment_or_none(self, name: str) -> datetime | None:
        return None if self._is_missing(name) else self.moment(name)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(_checked(item, str) for item in _checked(self._document.get(name), list))

    def answers(self, name: str) -> Mapping[str, str]:
        """Texts by name; missing is none."""
        found = {} if self._is_missing(name) else _checked(self._document[name], dict)
        return {key: _checked(value, str) for key, value in found.items()}

    def object(self, name: str) -> Stored:
        return Stored(self._document.get(name))

    def object_or_none(self, name: str) -> Stored | None:
        return None if self._is_missing(name) else self.object(name)

    def objects(self, name: str) -> list[Stored]:
        return [Stored(item) for item in _checked(self._document.get(name), list)]

    def has(self, name: str) -> bool:
        """Whether the name is there, with whatever value."""
        return name in self._document

    def _is_missing(self, name: str) -> bool:
        return self._document.get(name) is None


def _checked(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise StoredError
    return value
