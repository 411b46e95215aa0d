"""Wordings are read from the registry before they count as known."""

from __future__ import annotations

import pytest
import rfc8785

from consent import tables, texts
from gateway.http import wordings
from gateway.http.wordings import Wordings
from storage.database import Database
from tests.support.clock import START as NOW

NEWS = rfc8785.dumps({"purpose": "news", "locale": "en", "text": "Yes."})


@pytest.mark.parametrize("running", [0.0, 60.0], ids=["from this moment", "for a minute"])
async def test_the_texts_are_read_before_they_count_as_fresh_however_young_the_machine(
    database: Database, monkeypatch: pytest.MonkeyPatch, running: float
) -> None:
    monkeypatch.setattr(wordings, "monotonic", lambda: running)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
        (published,) = await texts.publish(connection, [NEWS], [], NOW)
    known = Wordings(database)
    monkeypatch.setattr(wordings, "_FRESH", 3600.0)

    assert (await known.valid()).keys() == {published}
