"""An operator declares that a wording of before says the same as the one that there is now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import coverage, texts, wordings
from consent.texts import Text
from gateway.config.config import Config
from gateway.config.mailing import sentences


class Outcome(StrEnum):
    """What became of a declaration."""

    DECLARED = "declared"
    NOT_FOUND = "not_found"
    NOTHING_NOW = "nothing_now"  # the configuration has no such purpose in that language
    NOT_CHANGED = "not_changed"  # it says the very same
    BEFORE = "before"  # it was declared already


@dataclass(frozen=True, slots=True)
class Declaration:
    """Which text, by its hash, and why it says the same."""

    text: str
    reason: str


async def declare_same(
    connection: AsyncConnection, log: Log, config: Config, said: Declaration, now: datetime
) -> Outcome:
    """Write into the log that consents to a text cover what the configuration asks for now.

    In that text's language. It is said of the sentence that there is now, and
    not of one that takes its place later. Nothing takes it back: who declared
    in error retires the text and ends its consents.
    """
    text = (await texts.get(connection, [said.text])).get(said.text)
    if text is None:
        return Outcome.NOT_FOUND
    purpose = config.purposes.get(text.purpose)
    if purpose is None or text.locale not in purpose.text:
        return Outcome.NOTHING_NOW
    sentence = sentences(text.purpose, purpose)[text.locale]
    same = (coverage.said(text.bundle), sentence)
    if same[0] == same[1]:
        return Outcome.NOT_CHANGED
    if same in await wordings.declared_same(connection, log.macs):
        return Outcome.BEFORE
    offered = {"title": purpose.title[text.locale], "text": purpose.text[text.locale]}
    await log.stage(connection, [draft(_event(text, said, same, offered, now), None, log.node)])
    return Outcome.DECLARED


def _event(
    text: Text,
    said: Declaration,
    same: coverage.Same,
    offered: dict[str, str],
    now: datetime,
) -> Event:
    """With the sentence as it is now in full: it may not be published yet."""
    facts = {"purpose": text.purpose, "locale": text.locale, "reason": said.reason, **offered}
    refs = wordings.refs_of(text.hash, same)
    return Event(Kind.TEXT_DECLARED, Actor.OPERATOR, now, refs=refs, items=[Item(None, facts)])
