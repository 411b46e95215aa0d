"""One message as its sender may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery import outbox, permits
from delivery.outbox import Attempt, Message
from gateway.flows.composing import message_id_header
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class PermitSeen:
    """The permit of the newest attempt."""

    ground_kind: str
    ground_id: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class MessageSeen:
    message: Message
    permit: PermitSeen | None
    attempts: Sequence[Attempt]
    message_id_header: str


async def look(parts: Parts, message_id: str, origin: str) -> MessageSeen | None:
    """A message of this caller, with its attempts; None for another's, or for none."""
    async with parts.data.read() as connection:
        message = await outbox.get(connection, message_id)
        if message is None or message.origin != origin:
            return None
        permit = await permits.of_message(connection, message.id, message.attempt)
        attempts = await outbox.attempts(connection, message.id)
    seen = permit and PermitSeen(permit.ground_kind, permit.ground_id, permit.decided_at)
    return MessageSeen(message, seen, attempts, message_id_header(parts.config, message))
