"""What a template is given, so that it prints words and numbers, or nothing at all.

Data is JSON of a caller, or what a person once typed. Templates may look at any
of it, walk through it and choose by it; a list, an object, a yes or a null would
be printed as a program writes it, in a mail that a person reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

from storage.words import is_blank

_SAFE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)


class NotWords(Exception):
    """A template prints *value*, which is no text and no number."""

    def __init__(self, value: object) -> None:
        super().__init__("a value that is no text is printed")
        self.value = value


class _Mute:
    """Whoever makes a text of it, by whichever filter or operator, is told so."""

    def __str__(self) -> NoReturn:
        raise NotWords(self)

    __repr__ = __str__


class _List(_Mute, list[Any]):
    pass


class _Object(_Mute, dict[str, Any]):
    pass


class _Flag(_Mute, int):
    pass


class _Null(_Mute):
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _Null)


# Templates ask so, and must be answered as for the JSON value itself.
TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "none": lambda value: value is None or isinstance(value, _Null),
    "boolean": lambda value: isinstance(value, bool | _Flag),
    "true": lambda value: isinstance(value, bool | _Flag) and value == 1,
    "false": lambda value: isinstance(value, bool | _Flag) and value == 0,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool | _Flag),
}


def printable(value: Any) -> Any:
    """The same JSON value: what would not be seen is empty, what is no text cannot be printed."""
    match value:
        case str():
            return "" if is_blank(value) else value
        case bool():
            return _Flag(value)
        case None:
            return _Null()
        case Mapping():
            return printable_data(value)
        case list() | tuple():
            return _List(printable(one) for one in value)
        case _:
            return value


def printable_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """As `printable`, for all that a template is given."""
    return _Object({name: printable(one) for name, one in data.items()})


def path_of(value: object, within: Mapping[str, Any]) -> str | None:
    """Where *value* itself stands in data, as the end of a JSON pointer; None: nowhere."""
    return next((path for path, one in _walk(within) if one is value), None)


def _walk(data: Mapping[str, Any] | list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value under a path, which ends before the first name that is not plainly a name."""
    named = data.items() if isinstance(data, Mapping) else enumerate(data)
    for name, value in named:
        safe = isinstance(name, int) or _SAFE_NAME.fullmatch(name)
        path = f"{before}/{name}" if safe else before
        yield path, value
        if isinstance(value, Mapping | list):
            yield from _walk(value, path)
