"""What an operator declared: that somebody had another name, that two wordings say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log

_KINDS = (Kind.IDENTITY_DECLARED, Kind.TEXT_DECLARED)


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration: of whom or of which text, and what was said of it."""

    at: datetime
    about: str
    said: Mapping[str, str]  # none where the log's item was altered


async def listed(connection: AsyncConnection, log: Log) -> list[Declared]:
    """Every declaration that the log has, oldest first."""
    told = await trail.happenings(connection, log.macs, _KINDS)
    said = await trail.said_of_nobody(connection, told)
    return [Declared(one.at, _about(one), dict(_texts(said.get(one.eid, {})))) for one in told]


def _about(event: Entry) -> str:
    name = "identity" if event.kind is Kind.IDENTITY_DECLARED else "text"
    return event.refs.get(name, "")


def _texts(said: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for name, value in said.items() if isinstance(value, str))
