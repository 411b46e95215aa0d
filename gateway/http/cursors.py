"""Where a reader of pages stands, as they are handed it and bring it back: sealed.

A place in the log says how much happens here, and the id of a message when somebody else's
came in. So nobody reads it: neither in what they hold, nor by comparing two of them.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent.errors import SealError
from consent.feed import Position
from consent.keys.seal import open_sealed, seal
from storage.honesty import RowKeys

_USE: Final = "cursor"
_CHANGES: Final = "changes"
_WIDTH: Final = 100  # more than any place takes: its length would say how large the log is


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to *after* was handed out by *at*; None: nothing had ever happened."""

    after: Position | None
    at: datetime


def of_changes(keys: RowKeys, cursor: Cursor) -> str:
    """What a reader of changes is handed; another one each time, as long as any other."""
    after = None if cursor.after is None else [cursor.after.place, cursor.after.id]
    return closed(keys, _CHANGES, json.dumps([after, cursor.at.isoformat()]).ljust(_WIDTH))


def in_changes(keys: RowKeys, said: str) -> Cursor | None:
    """Where that reader stands; None as for `opened`."""
    raw = opened(keys, _CHANGES, said)
    if raw is None:
        return None
    after, at = json.loads(raw)
    return Cursor(None if after is None else Position(*after), datetime.fromisoformat(at))


def closed(keys: RowKeys, what: str, name: str) -> str:
    """The name of a row as a reader of *what* holds it."""
    key = keys.keyed(_USE, what.encode())
    sealed = seal(key.mac, name.encode(), (_USE, what))
    return f"{key.kid}_{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def opened(keys: RowKeys, what: str, said: str) -> str | None:
    """What was handed out; None for anything else, and once its key is gone.

    Raises `StorageAway` where it may have been sealed by a key that we lack.
    """
    number, _, encoded = said.partition("_")
    known = {str(kid): mac for kid, mac in keys.all_keyed(_USE, what.encode()).items()}
    if number not in known:
        keys.require_whole()
        return None
    try:
        sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
        return open_sealed(known[number], sealed, (_USE, what)).decode()
    except (binascii.Error, ValueError, SealError):
        return None
