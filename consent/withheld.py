"""How many mailboxes were asked for and got no confirmation mail: a number, and no trace of whose.

Kept among the counts of confirmation mails, under the weekly keys and for as long as those. Where
there was nothing to ask, as much is written under another name: nothing is told by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import suppressions
from consent.keys import blind
from storage.secret import Secret

_WITHHELD: Final = "consentgw/withheld/v1"
_NOT_DUE: Final = "consentgw/not-due/v1"


def keys(weekly: Iterable[Secret], *, wanted: bool) -> tuple[bytes, ...]:
    """Under what it is counted, this week's first."""
    domain = _WITHHELD if wanted else _NOT_DUE
    return tuple(blind.keyed(secret, domain, "") for secret in weekly)


async def count(connection: AsyncConnection, weekly: Iterable[Secret], now: datetime) -> int:
    """How many in the last seven days, each mailbox once a day. Changes nothing."""
    return await suppressions.how_often(connection, keys(weekly, wanted=True), now)
