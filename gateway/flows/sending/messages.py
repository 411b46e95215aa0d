"""One message as its sender may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from delivery import attempts, outbox, permits
from delivery.attempts import Attempt
from delivery.outbox import Message
from delivery.permits import Permit
from gateway.flows.sending.composing import message_id_header
from storage.database import Database


@dataclass(frozen=True, slots=True)
class MessageSeen:
    message: Message
    permit: Permit | None  # of the newest attempt
    attempts: Sequence[Attempt]
    message_id_header: str | None


async def look(data: Database, message_id: str, origin: str) -> MessageSeen | None:
    """A message of this caller, with its attempts; None for another's, or for none."""
    async with data.read() as connection:
        message = await outbox.get(connection, message_id)
        if message is None or message.origin != origin:
            return None
        permit = await permits.of_message(connection, message.id, message.attempt)
        tried = await attempts.of_message(connection, message.id)
    return MessageSeen(message, permit, tried, message_id_header(message))
