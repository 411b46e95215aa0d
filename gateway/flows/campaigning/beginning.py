"""A campaign begins once whatever was confirmed before its start can be seen, or never was."""

from __future__ import annotations

from consent.tables import subject
from storage.database import Database
from storage.locks import writers


class Beginnings:
    """Remembers, by campaign, who was at work when it was about to begin.

    A confirmation takes its moment under the gate, and commits later. Who walked past that
    moment in between would never come back to it, and the person be passed over.
    """

    def __init__(self, data: Database) -> None:
        self._data = data
        self._waited_for: dict[str, frozenset[str]] = {}

    async def may_begin(self, name: str) -> bool:
        """Whether all who held a gate when this was first asked are done. Never waits for them.

        Ask it when the start is over. Another process, or the next one after a crash, asks anew.
        """
        async with self._data.begin() as connection:
            at_work = await writers(connection, subject)
        left = self._waited_for.get(name, at_work) & at_work
        if left:
            self._waited_for[name] = left
            return False
        self._waited_for.pop(name, None)
        return True
