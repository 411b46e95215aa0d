"""What the wordings of consents cover, learnt once per process.

The bytes are hashed when they are read (`consent.texts`), and bytes that have
that hash never change: a claim looks nothing up. What was declared the same
stands in the log alone, so nobody who writes into tables can declare anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.rowmac import RowMacs
from consent import texts
from consent.coverage import Mailing, Same

_LOOKED_AGAIN = timedelta(seconds=10)  # for what another process declared meanwhile
_Wording = tuple[str, str]  # purpose and hash


class Wordings:
    """The senders whose mails each wording covers, as one process knows it."""

    def __init__(self, mailing: Mailing, macs: RowMacs) -> None:
        self.mailing = mailing
        self._macs = macs
        self._covers: dict[_Wording, frozenset[str]] = {}
        self._learnt_at: datetime | None = None

    def covers(self, purpose: str, text_hash: str) -> frozenset[str] | None:
        """Whose mails a consent to it covers; None: no such wording is known."""
        return self._covers.get((purpose, text_hash))

    async def look_up(
        self, connection: AsyncConnection, wanted: Iterable[_Wording], now: datetime
    ) -> bool:
        """Learn what is not known of these; says whether `covers` may answer otherwise now."""
        if not self._in_doubt(set(wanted), now):
            return False
        await self.learn(connection, now)
        return True

    async def learn(self, connection: AsyncConnection, now: datetime) -> None:
        """Learn of every wording that there is, so that nobody's look takes longer than another's.

        What was learnt before stays: the bytes that have a hash are the same for ever.
        """
        same = await declared_same(connection, self._macs)
        for text in await texts.list_texts(connection):
            covered = self.mailing.covered_by(text.bundle, same)
            self._covers[text.purpose, text.hash] = covered
        self._learnt_at = now

    def _in_doubt(self, wanted: set[_Wording], now: datetime) -> bool:
        known = {one: self._covers.get(one) for one in wanted}
        if None in known.values():
            return True
        settled = self._learnt_at is not None and now - self._learnt_at < _LOOKED_AGAIN
        return not settled and any(
            self.mailing.sender_of(purpose) not in (covered or ())
            for (purpose, _), covered in known.items()
        )


async def declared_same(connection: AsyncConnection, macs: RowMacs) -> set[Same]:
    """Which wordings an operator declared to say the same, as the log has it."""
    told = await trail.happenings(connection, macs, [Kind.TEXT_DECLARED])
    return {same for one in told if (same := _same(one)) is not None}


def refs_of(text: str, same: Same) -> dict[str, str]:
    """How an event says so of a text, by its hash."""
    was, now = same
    return {"text": text, "was": was, "is": now}


def _same(event: Entry) -> Same | None:
    was, now = event.refs.get("was"), event.refs.get("is")
    return None if was is None or now is None else (was, now)
