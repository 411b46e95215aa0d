"""The key store: keys of people, of what is no one's, and of weeks, in a database of its own.

Beside them the sessions that stand, which nobody opens by writing into the data.
Nothing here joins a data transaction: fetch keys before gates are locked.
Every method may raise `StorageAway`, and is safe to repeat then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from consent.keys import epochs, phases
from consent.keys.content_keys import ContentKeys
from consent.keys.data_keys import DataKeys
from consent.keys.intake_keys import IntakeKeys
from consent.keys.limit_keys import LimitKeys
from consent.keys.own_sessions import OwnSessions
from consent.keys.vault import Compartment
from consent.keys.wrapping import Wrapper
from storage.clock import elapsed
from storage.database import Database
from storage.honesty import RowKeys
from storage.secret import Secret


class KeyStore:
    """Every kind of key over one database; unwrapped ones live in this process's memory only.

    What one kind does alone is its own method, under the name that callers know;
    an erasure is the act that takes two of them.
    """

    def __init__(
        self,
        database: Database,
        keks: Mapping[int, Secret],
        active: int,
        rows: RowKeys,
        *,
        monotonic: Callable[[], float] = elapsed,
    ) -> None:
        wrapper = Wrapper(keks, active, rows)
        self._database = database
        self._people = people = DataKeys(database, wrapper, monotonic)
        self._intake = intake = IntakeKeys(database, wrapper, monotonic)
        self.create, self.vault, self.passing = people.create, people.vault, people.passing
        self.erased, self.held, self.sweep = people.erased, people.held, people.sweep
        self.back, self.strange = people.back, people.strange
        self.intake_key, self.intake_keys = intake.current, intake.of
        self.known_intake_keys, self.require_in_time = intake.known, intake.require_in_time
        self.closed_intake_keys, self.destroy_intake_keys = intake.closed, intake.destroy
        contents = ContentKeys(database, wrapper, monotonic)
        self.create_content_key, self.content_keys = contents.create, contents.of
        self.sweep_content_keys = contents.sweep
        limits = LimitKeys(database, wrapper)
        self.limit_keys, self.standing_limit_keys = limits.current, limits.standing
        self.sessions = OwnSessions(database)

    async def copies_read(self, keys: RowKeys, destroyed_at: datetime) -> bool:
        """Whether copies of store and keyring give what was destroyed then, as far as is known."""
        async with self._database.read() as connection:
            return phases.copies_read(await epochs.standing(connection, keys), destroyed_at)

    async def erase(
        self, subjects: Iterable[str], compartments: Collection[Compartment], now: datetime
    ) -> None:
        """Destroy keys and enter it in the erasure ledger, in one transaction.

        Call it after the data stopped naming the person; repeating is harmless.
        Other processes keep what they fetched for up to a minute more, which
        only a gate that says `live` lets them use. Sign-ups made from now on
        are sealed under another intake key.
        """
        wanted = sorted(set(subjects))
        pairs = [(subject, c) for subject in wanted for c in sorted(compartments)]
        if not pairs:
            return
        async with self._database.begin() as connection:
            await self._people.destroy(connection, pairs, now)
            await self._intake.close(connection, now)
            await self.sessions.forget(connection, wanted)
        # After the commit: whoever asked before it would fetch the keys again, and keep them.
        self._intake.forget()
        self._people.forget(wanted)
