"""The language in which somebody is mailed, for the pages that are shown to them alone."""

from __future__ import annotations

from consent import gates
from storage.database import Database


async def language_of(data: Database, subject: str) -> str | None:
    """None for whoever is being erased, or was, or is away for a moment. Changes nothing.

    What somebody wrote into the row may be no text: `pages.speak` passes over that.
    """
    async with data.read() as connection:
        gate = (await gates.peek(connection, [subject])).get(subject)
    return gate.locale if gate is not None and gate.live else None
