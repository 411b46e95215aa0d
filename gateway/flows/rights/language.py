"""The language in which somebody is mailed, for the pages that are shown to them alone."""

from __future__ import annotations

from consent import gates
from storage.database import Database
from storage.types import is_name


async def language_of(data: Database, subject: str) -> str | None:
    """None for whoever is being erased, or was, or is away for a moment. Changes nothing.

    And where the row has no text for it: whoever wrote that must not keep anybody from leaving.
    """
    async with data.read() as connection:
        gate = (await gates.peek(connection, [subject])).get(subject)
    return gate.locale if gate is not None and gate.live and is_name(gate.locale) else None
