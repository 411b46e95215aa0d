"""What papers of the running gateway may say that it does, and when each may be said. Pure.

As a notice's claims (`claims.py`), but of this very moment: what the configuration has, and
what the stores tell of keys, backups and verifications. The tests of the facts:
tests/support/words.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

BACKUP_IS_OLD: Final = timedelta(days=7)
NIGHT_IS_LATE: Final = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Running:
    """How this gateway stands; moments are None where nothing is known."""

    at: datetime
    https: bool
    transport: str  # inbox | relay
    relay_tls: bool
    relay_here: bool  # on this machine
    file_keyring: bool
    files: bool  # the databases are files of this machine
    guard_apart: bool
    limits: bool
    admin_here: bool  # numbers are told to this machine alone, or to nobody
    witnesses: int
    mails_checkpoints: bool
    evidence_stays: bool
    verified_at: datetime | None
    verified_well: bool
    backup_at: datetime | None  # the newest that was put back and found whole
    key_since: datetime | None
    rotate_every: timedelta
    copies_read: bool  # an earlier key epoch is not destroyed yet

    @property
    def is_verified(self) -> bool:
        fresh = self.verified_at is not None and self.at - self.verified_at <= NIGHT_IS_LATE
        return fresh and self.verified_well

    @property
    def has_backup(self) -> bool:
        return self.backup_at is not None and self.at - self.backup_at <= BACKUP_IS_OLD

    @property
    def key_is_young(self) -> bool:
        return self.key_since is not None and self.at - self.key_since < self.rotate_every


def _always(_: Running) -> bool:
    return True


# A sentence of a paper, by the name that its template has for it, and when it is so.
MEASURES: Final[Mapping[str, Callable[[Running], bool]]] = {
    "sealed": _always,
    "own_keys": _always,
    "keys_apart": _always,
    "keyring_private": lambda now: now.file_keyring,
    "keyring_handed": lambda now: not now.file_keyring,
    "private_files": _always,
    "data_here": lambda now: now.files,
    "https": lambda now: now.https,
    "relay_tls": lambda now: now.transport == "relay" and now.relay_tls,
    "relay_here": lambda now: now.transport == "relay" and not now.relay_tls and now.relay_here,
    "inbox": lambda now: now.transport == "inbox",
    "signed_mail": _always,
    "roles": _always,
    "sessions": _always,
    "looks_told": _always,
    "api_keys": _always,
    "numbers_here": lambda now: now.admin_here,
    "no_words_in_logs": _always,
    "log": _always,
    "verified": lambda now: now.is_verified,
    "guard_apart": lambda now: now.guard_apart,
    "witnesses": lambda now: now.witnesses > 0,
    "checkpoint_mails": lambda now: now.mails_checkpoints,
    "kept": _always,
    "limits": lambda now: now.limits,
    "permits": _always,
    "backup": lambda now: now.has_backup,
    "restore": _always,
    "key_young": lambda now: now.key_is_young,
    "erasure": _always,
    "retention": _always,
    "evidence_locked": lambda now: now.evidence_stays,
    "double_opt_in": _always,
    "withdrawal": _always,
    "rights_due": _always,
    "staff_kept": _always,
}


def said_of(now: Running) -> dict[str, bool]:
    """Which of them may be said now, by name."""
    return {name: holds(now) for name, holds in MEASURES.items()}
