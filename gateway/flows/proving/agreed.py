"""What people were asked to agree to, word for word, and how many consents rest on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.rowmac import RowMacs
from consent import texts
from consent.resting import Resting
from consent.texts import PublishedNotice
from gateway.config.config import Config
from gateway.watch import wordings
from gateway.watch.wordings import Listed
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Noticed:
    """A privacy notice, since when it is published, and what rests on the wordings that name it."""

    notice: PublishedNotice
    resting: Resting


async def look(
    database: Database, config: Config, macs: RowMacs
) -> tuple[list[Listed], list[Noticed]]:
    """Every wording and every notice that is what its hash says."""
    async with database.read() as connection:
        found = await wordings.listed(connection, config, macs)
        _, notices = await texts.kept(connection)
    return found, [Noticed(one, _resting_on(one.hash, found)) for one in notices]


def _resting_on(notice: str, found: Sequence[Listed]) -> Resting:
    naming = [one.resting for one in found if one.text.bundle.get("notice") == notice]
    return Resting(
        standing=sum(one.standing for one in naming),
        waiting=sum(one.waiting for one in naming),
        since=min((one.since for one in naming if one.since is not None), default=None),
        until=max((one.until for one in naming if one.until is not None), default=None),
    )
