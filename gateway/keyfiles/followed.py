"""The keyring of a running process, which learns what its file gets, without a restart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import structlog

from gateway.config.fields import Variable
from gateway.errors import KeyFileError
from gateway.keyfiles import key_files, keyring
from gateway.keyfiles.keyring import Keyring

log = structlog.get_logger()


class FollowedKeyring:
    """Adds to the keys that a process works with, and takes from them what is let go.

    A key that is missing in a file which was put there later stays: it may be an
    older copy. One of a number that we have already stays ours, for what we made
    with it would not open any more.
    """

    def __init__(self, path: Path | Variable, ring: Keyring) -> None:
        self.path = path
        self.ring = ring
        self.newer: Keyring | None = None  # what the file held when it was read last
        self._seen: tuple[int, ...] | None = None
        self._unreadable: str | None = None

    def refresh(self) -> None:
        """Take over what is new in the file, if it was written since the last time.

        One that cannot be read, such as a copy that is under way, is looked at again.
        """
        try:
            mark = key_files.mark(self.path)
            if mark == self._seen:
                return
            newer = keyring.load(self.path)
        except (KeyFileError, OSError) as error:
            self.tell(error)
            return
        self._seen, self._unreadable, self.newer = mark, None, newer
        for epoch, key in newer.keks.items():
            self.ring.keks.setdefault(epoch, key)
        self.learn_handovers(newer)

    def learn_handovers(self, newer: Keyring) -> None:
        """Know by which statements the log's key followed each other in a newer keyring."""
        known = self.ring.handovers
        known.extend(note for note in newer.handovers if note not in known)

    def make_kek(self, known: Collection[int], announced: Mapping[int, str] | None = None) -> int:
        """Make the key of the next epoch, here and in the file; its number.

        One of ours that is not the one which was *announced* under its number goes:
        nothing was ever wrapped under it. Raises KeyFileError where the file cannot be written.
        """
        marks = announced or {}
        ring = keyring.amend(
            self.path, lambda ring: keyring.with_new_kek(keyring.without_others(ring, marks), known)
        )
        for other in keyring.others(self.ring, marks):
            del self.ring.keks[other]
        number = max(ring.keks)
        self.ring.keks[number] = ring.keks[number]
        return number

    def write_next(self, path: Path, known: Collection[int], gone: Collection[int]) -> None:
        """Store at *path* what is to follow this keyring, where our own place cannot be written.

        With a key of an epoch behind those that are *known*, without those that are *gone*.
        Raises KeyFileError where anything is there.
        """
        ring = keyring.load(self.path)
        if known:
            ring = keyring.with_new_kek(ring, known)
        wraps = ring.active_kek if ring.active_kek not in gone else max(ring.keks)
        keyring.write(path, keyring.without_keks(ring, gone, wraps))

    def let_go(self, gone: Collection[int], active: int) -> bool:
        """Forget epochs that nothing needs, here and in the file; *active* is the one that wraps.

        False where the file cannot be written: somebody else has to.
        """
        if active not in self.ring.keks:
            return False
        for epoch in gone:
            self.ring.keks.pop(epoch, None)
        try:
            keyring.amend(self.path, lambda ring: keyring.without_keks(ring, gone, active))
        except KeyFileError as error:
            self.tell(error)
            return False
        return True

    def tell(self, error: Exception) -> None:
        """Say once that the file cannot be read, or not be written."""
        why = type(error).__name__
        if why != self._unreadable:
            log.warning("keyring_unreadable", error=why)
        self._unreadable = why
