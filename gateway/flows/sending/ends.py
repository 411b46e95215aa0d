"""What the log says of a message that ended without a transmission, whoever ended it."""

from __future__ import annotations

from audit.entry import Item
from delivery.outbox import Message


def item(message: Message, reason: str | None, *, named: bool) -> Item:
    """Of nobody unless its person can be *named*: who is being erased, or whose key is gone.

    An item that could not be sealed would undo what it tells of.
    """
    facts = {"message": message.id, "purpose": message.purpose, "reason": reason}
    return Item(message.subject if named else None, facts)
