"""What an erasure destroyed, as the log and the key store have it. Names nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from audit import trail
from audit.kinds import Kind
from audit.log import Log
from consent import erasures
from consent.erasures import Erasure
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from gateway.config.config import Suppress
from gateway.flows.proving import recipients
from gateway.flows.proving.recipients import Told
from gateway.flows.rights.telling import Receiver
from gateway.watch.numbers import counted as _number
from storage.database import Database
from storage.honesty import RowKeys


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be shown to whoever doubts that somebody was forgotten."""

    done_at: datetime
    keys_destroyed: tuple[Compartment, ...]  # as the erasure ledger has it now
    payloads: int  # of the log, deleted then
    items: int
    eid: bytes
    locked_until: datetime | None  # none: nothing is kept any more
    copies_read: bool  # whether old copies of key store and keyring still give the keys
    told: tuple[Told, ...]  # whoever received the data


async def look_up(
    data: Database,
    keystore: KeyStore,
    keys: RowKeys,
    log: Log,
    erasure_id: str,
    receivers: Mapping[str, Receiver],
) -> tuple[Erasure, Certificate | None] | None:
    """An erasure, and once it is done what it destroyed; None where there is no such erasure."""
    async with data.snapshot() as connection:
        found = await erasures.get(connection, keys, erasure_id)
        if found is None:
            return None
        told = await trail.event(connection, log.macs, found.eid)
        hearing = await recipients.told_of(connection, keys, found, receivers)
    if found.done_at is None or told is None or told.kind is not Kind.SUBJECT_ERASED:
        return found, None
    destroyed = {compartment for _, compartment in await keystore.erased([found.subject])}
    locked = found.locked_until if Compartment.EVIDENCE not in destroyed else None
    gone = tuple(sorted(destroyed))
    payloads, items = (int(told.refs[name]) for name in ("payloads", "items"))
    read = await keystore.copies_read(keys, found.done_at)
    return found, Certificate(
        found.done_at, gone, payloads, items, found.eid, locked, read, hearing
    )


def copies_until(shown: Certificate, oldest: timedelta) -> datetime:
    """When no backup is left from before it, where the *oldest* one is kept for so long."""
    try:
        return shown.done_at + oldest
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def in_words(shown: Certificate, suppress: Suppress, *, counted: bool = True) -> list[str]:
    """What each fact of the certificate means; *counted* for whoever has to tell the person.

    *suppress*: whose mailbox is not asked again, as the configuration has it.
    """
    lines = [f"The keys of {_KEPT[one]} were destroyed." for one in shown.keys_destroyed]
    if shown.payloads or shown.items:
        gone = _number(shown.payloads + shown.items, "sealed fact") if counted else "Sealed facts"
        lines.append(f"{gone} about the person went from the audit log; its entries name nobody.")
    elif shown.locked_until is not None:
        lines.append("No fact of the audit log went yet: they are what stays locked.")
    else:
        lines.append("The audit log held no facts about the person any more.")
    if shown.locked_until is not None:
        until = shown.locked_until.isoformat()
        lines.append(f"{EVIDENCE[0].upper()}{EVIDENCE[1:]}, stays locked until {until}, then goes.")
    if (stays := checksum(suppress)) is not None:
        lines.append(stays)
    return [*lines, *map(recipients.in_words, shown.told), copies(shown)]


def checksum(suppress: Suppress) -> str | None:
    """What stays of the address; whether anything does of this very one would be a neighbour's."""
    return _CHECKSUMS.get(suppress)


def copies(shown: Certificate) -> str:
    """What is to be said of copies that were made before."""
    return COPIES if shown.copies_read else NO_COPIES


_KEPT: Mapping[Compartment, str] = {
    Compartment.PROFILE: "the address, the answers in forms, and the messages (profile)",
    Compartment.EVIDENCE: "what proved the consents, and the mails sent under them (evidence)",
}
_CHECKSUMS: Mapping[Suppress, str] = {
    Suppress.OBJECTION: (
        "Where mails to the address were objected to or stopped, a keyed checksum of it stays, for"
        " twelve months at most, so that nobody has it asked again."
    ),
    Suppress.ALWAYS: (
        "A keyed checksum of the address stays for twelve months, so that nobody has it asked"
        " again."
    ),
}
COPIES: Final = (
    "Backups of the key store that are older than this still hold the keys: until they are"
    " deleted, whoever has one together with the keyring can read copies of the data."
)
NO_COPIES: Final = (
    "Copies of the key store from before give the keys no more: every key that they were wrapped"
    " under was replaced since, and destroyed, as the operator declared of its copies too."
)
EVIDENCE: Final = "what proves this person's consents, and the mails sent under them"
