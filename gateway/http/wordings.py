"""The consent texts that may be agreed to now, as every node knows them from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic

from consent import texts
from consent.texts import PublishedNotice, Text
from storage.database import Database

_FRESH = 5.0  # seconds until a text that was retired elsewhere is refused here
_ASK_AGAIN = 1.0  # seconds between two look-ups for hashes that nobody knows


class Wordings:
    """A short-lived copy of the text registry; made again when it is old or lacks a hash."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Mapping[str, Text] = {}
        self._read_at: float | None = None  # the clock may have begun a moment ago
        self._reading = asyncio.Lock()

    async def valid(self, wanted: frozenset[str] = frozenset()) -> Mapping[str, Text]:
        """Every text that was ever current and is not retired, by hash."""
        if self._is_good(wanted):
            return self._known
        async with self._reading:
            if not self._is_good(wanted):
                async with self._database.read() as connection:
                    self._known = await texts.valid(connection)
                self._read_at = monotonic()
        return self._known

    async def current(self, purpose: str, locale: str) -> Text | None:
        """The text of a purpose in a language as it is asked for now."""
        found = [t for t in (await self.valid()).values() if t.current]
        return next((t for t in found if (t.purpose, t.locale) == (purpose, locale)), None)

    async def was_asked(self, purpose: str) -> bool:
        """Whether people may have agreed to *purpose*, also long ago."""
        async with self._database.read() as connection:
            return await texts.was_asked(connection, purpose)

    async def notice(self, digest: str) -> PublishedNotice | None:
        """One version of the privacy notice, by its hash; None for one that never was."""
        async with self._database.read() as connection:
            return await texts.notice(connection, digest)

    def _is_good(self, wanted: frozenset[str]) -> bool:
        if self._read_at is None:
            return False
        age = monotonic() - self._read_at
        return age < _ASK_AGAIN or (age < _FRESH and wanted <= self._known.keys())
