"""What was prepared for mails that share words: kept where these came before, up to a size."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple

from delivery.fitting import Places
from delivery.plan import Plan
from delivery.transfer import Encoded

_MOST: Final = 16 * 1024 * 1024  # bytes
_OF_NONE: Final = 1024  # bytes that it takes to know that something has no sheet
_MOST_REMEMBERED: Final = 4096


class Sheet(NamedTuple):
    """A plan, and what may stand in each of its places."""

    plan: Plan
    places: Places

    def fill(self, values: Sequence[str]) -> Encoded | None:
        """None where one of the values would make something else of what is around it."""
        if all(place.fullmatch(one) for place, one in zip(self.places, values, strict=True)):
            return self.plan.fill(values)
        return None


class Prepared:
    """Sheets, by the words that they are made of: other words have another one.

    What came once is not kept, for it may have been one mail's. The oldest go first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        self._came: set[int] = set()
        self._kept: dict[Hashable, Sheet | None] = {}
        self._lock = threading.Lock()  # mails may be composed in several threads

    def get(self, key: Hashable, make: Callable[[], Sheet | None]) -> Sheet | None:
        """The sheet of *key*, made the second time that it is asked for; None: there is none."""
        try:
            return self._kept[key]
        except KeyError:
            came = hash(key)
        if came in self._came:
            return self._keep(key, make())
        if len(self._came) >= _MOST_REMEMBERED:
            self._came.clear()
        self._came.add(came)
        return None

    def _keep(self, key: Hashable, sheet: Sheet | None) -> Sheet | None:
        with self._lock:
            if key in self._kept:
                return sheet
            self._kept[key] = sheet
            self._size += _size(key, sheet)
            while self._size > self._most:
                oldest = next(iter(self._kept))
                self._size -= _size(oldest, self._kept.pop(oldest))
        return sheet


def _size(key: Hashable, sheet: Sheet | None) -> int:
    return _letters(key) + (_OF_NONE if sheet is None else sheet.plan.size)


def _letters(key: Hashable) -> int:
    """Of all the words in a key, which are kept with it."""
    if isinstance(key, str):
        return len(key)
    return sum(map(_letters, key)) if isinstance(key, tuple) else 0
