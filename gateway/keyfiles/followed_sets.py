"""The sets of keys of a running process, which stand as the key store says, without a restart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from consent.keys import set_phases
from consent.keys.nodes import Held
from consent.keys.sets import KeyName, Standing
from consent.keys.wrapping import proof
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.followed import FollowedKeyring
from gateway.keyfiles.keyring import Keyring
from storage.keysets import Key, KeySet, KeyState


class FollowedSets:
    """Lets a process's sets of keys stand as the key store says; notes it in the keyring's file."""

    def __init__(self, ring: FollowedKeyring) -> None:
        self._followed = ring
        self._written: Mapping[str, KeySet] | None = None

    @property
    def sets(self) -> Mapping[str, KeySet]:
        """The sets as they stand, by kind; the same ones for ever."""
        return self._followed.ring.sets

    @property
    def lacking(self) -> list[str]:
        """The keys that rows are made with and that our keyring lacks, in words."""
        return [f"{kind} {n}" for kind, keys in self.sets.items() for n in sorted(keys.lacking)]

    def stand(self, found: Standing, gone: Collection[KeyName], asked_at: float) -> None:
        """Work with the keys as *found* says from here on, with those that the file got too.

        *gone* are those that nothing needs: they leave memory and file.
        """
        newer = self._followed.newer
        for kind, keys in self.sets.items():
            mine = keys.keys if newer is None else _joined(keys, newer.sets[kind])
            stood, lacking = set_phases.stand(mine, kind, found, gone)
            keys.stand(stood, lacking, asked_at)
        self._note(found, gone)

    def make(self, kind: str, number: int) -> Key:
        """Make the key of that number, here and in the file, or take the one that is there already.

        Raises KeyFileError where the file cannot be written.
        """
        path = self._followed.path
        ring = keyring.amend(path, lambda ring: keyring.with_new_key(ring, kind, number))
        self._followed.learn_handovers(ring)
        (made,) = [key for key in ring.sets[kind].keys if key.kid == number]
        keys = self.sets[kind]
        others = [key for key in keys.keys if key.kid != number]
        keys.stand([*others, made], keys.lacking, keys.learnt_at)
        return made

    def write_next(self, path: Path, kind: str, found: Standing) -> None:
        """Store at *path* the keyring that is to follow, with another key of this kind.

        For whoever keeps ours where it cannot be written. KeyFileError where anything is there.
        """
        ring = _noted(keyring.load(self._followed.path), found, ())
        number = set_phases.following(ring.sets[kind].keys, found, kind)
        keyring.write(path, keyring.with_new_key(ring, kind, number))

    def _note(self, found: Standing, gone: Collection[KeyName]) -> None:
        """So that a process that starts without the key store's word begins with the right ones."""
        stands = {kind: KeySet(keys.keys) for kind, keys in self.sets.items() if _usable(keys.keys)}
        if stands == self._written:
            return
        try:
            keyring.amend(self._followed.path, lambda ring: _noted(ring, found, gone))
        except KeyFileError as error:
            self._followed.tell(error)
        self._written = stands


def stand(sets: Mapping[str, KeySet], found: Standing) -> None:
    """Let sets stand as was found, for whoever does not follow them: a command, or a start."""
    for kind, keys in sets.items():
        keys.stand(*set_phases.stand(keys.keys, kind, found), None)


def held(sets: Mapping[str, KeySet]) -> list[Held]:
    """What a process can say that it holds of these sets."""
    return [
        Held(kind, key.kid, proof(key.secret))
        for kind, keys in sets.items()
        for key in keys.keys
        if key.secret is not None
    ]


def _noted(ring: Keyring, found: Standing, gone: Collection[KeyName]) -> Keyring:
    stood = {
        kind: set_phases.stand(keys.keys, kind, found, gone)[0] for kind, keys in ring.sets.items()
    }
    usable = {kind: KeySet(keys) for kind, keys in stood.items() if _usable(keys)}
    return keyring.with_sets(ring, usable)


def _joined(ours: KeySet, newer: KeySet) -> list[Key]:
    """Ours, and the keys that another has beside: what is over here stays so."""
    known = {key.kid for key in ours.keys}
    return [*ours.keys, *(key for key in newer.keys if key.kid not in known)]


def _usable(keys: Collection[Key]) -> bool:
    return any(key.state is KeyState.ACTIVE for key in keys)
