"""What became of a mail that was sent to try the way out, with the words of the server."""

from __future__ import annotations

from dataclasses import dataclass, field

from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from delivery import outbox, past
from delivery.outbox import Status
from delivery.past import Use
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Heard:
    """How far it came; *said* is for whoever sent it, on a terminal, and for no log."""

    status: str
    reason: str | None = None
    code: int | None = None
    said: str = field(default="", repr=False)

    @property
    def final(self) -> bool:
        """Whether a server has said its word, or none will."""
        return self.code is not None or self.status in outbox.FINAL

    @property
    def taken(self) -> bool:
        return self.status == Status.SENT


async def hear(data: Database, keystore: KeyStore, message: str) -> Heard | None:
    """Look at what became of *message*; None where it is not there any more. Changes nothing."""
    async with data.read() as connection:
        found = await past.read(connection, [message])
    if not found:
        return None
    (one,) = found
    ended = [use for use in one.uses if use.outcome is not None]
    if not ended:
        return Heard(one.message.status, one.message.reason)
    last = ended[-1]
    vault = await keystore.vault([one.message.subject])
    said = _opened(vault, one.message.subject, message, last)
    return Heard(one.message.status, one.message.reason, last.code, said)


def _opened(vault: Vault, subject: str, message: str, use: Use) -> str:
    place = ("attempt", "reply", f"{message}/{use.n}")
    if use.reply is None:
        return ""
    try:
        raw = vault.open(subject, Compartment.EVIDENCE, place, use.reply)
    except ValueError:  # altered, or its key cannot be used: a verification names it
        return ""
    return " ".join((raw or b"").decode(errors="replace").split())
