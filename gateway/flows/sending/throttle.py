"""What a claim granted, kept to quotas: the rows that count are locked last, and written with it.

They are rows of limits: keyed hashes under the week's key, so that no row says which domain it is
about. A transaction that is lost counts nothing; a process that dies behind it has counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import personal
from consent.errors import SealError
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Vault
from consent.model import Granted
from delivery.changing import Change
from delivery.outbox import Message, Status
from gateway import limits
from gateway.config.config import Config
from gateway.flows.sending import quotas
from gateway.flows.sending.quotas import Quota
from gateway.limits import Bucket
from storage.secret import Secret

Decision = tuple[Message, Granted | Change]


@dataclass(frozen=True, slots=True)
class Throttle:
    """The quotas of the configuration, and the keys of this week and the last; perhaps none."""

    config: Config
    weekly: Sequence[Secret] = field(default=(), repr=False)

    @classmethod
    async def fetch(cls, config: Config, keystore: KeyStore, now: datetime) -> Throttle:
        """Before anything is locked: the keys are in the key store."""
        if not quotas.stands(config):
            return cls(config)
        return cls(config, [secret for _, secret in await keystore.limit_keys(now)])

    async def keep(
        self,
        connection: AsyncConnection,
        gates: Mapping[str, Gate],
        vault: Vault,
        decided: Sequence[Decision],
        wanted: int,
        now: datetime,
    ) -> Sequence[Decision]:
        """As *decided*, but that what is over a quota waits for its turn.

        It ends behind the last one that is *wanted*: what comes then is not counted.
        """
        asked = {
            message.id: self._keys(message, gates.get(message.subject), vault, now)
            for message, decision in decided
            if isinstance(decision, Granted) and quotas.counts(message, now)
        }
        if not self.weekly or not any(asked.values()):
            return _wanted(decided, wanted)
        buckets = await self._hold(connection, asked)

        def kept(message: Message, decision: Granted | Change) -> Granted | Change:
            if message.id not in asked:
                return decision
            return _kept(message, decision, [buckets[key] for key in asked[message.id]], now)

        ended = _wanted(((message, kept(message, what)) for message, what in decided), wanted)
        await limits.write(connection, {key: one.empty_at for key, one in buckets.items()})
        return ended

    def _keys(
        self, message: Message, gate: Gate | None, vault: Vault, now: datetime
    ) -> dict[bytes, tuple[Quota, bytes | None]]:
        """By the row that counts it each quota of a message, and the row of last week."""
        if not self.weekly:
            return {}
        domain = _domain(gate, vault) if quotas.asks_domain(self.config) else None
        found = {}
        for one in quotas.of(self.config, message.sender, domain, now):
            rows = [limits.limit_key(key, one.limit, one.about) for key in self.weekly]
            found[rows[0]] = (one, rows[1] if len(rows) > 1 else None)
        return found

    async def _hold(
        self,
        connection: AsyncConnection,
        asked: Mapping[str, Mapping[bytes, tuple[Quota, bytes | None]]],
    ) -> dict[bytes, Bucket]:
        every = {key: one for its in asked.values() for key, one in its.items()}
        before = {key: last for key, (_, last) in every.items() if last is not None}
        levels = await limits.hold(connection, sorted(every), before)
        return {
            key: Bucket(quota.limit, levels[key], quotas.LONGEST)
            for key, (quota, _) in every.items()
        }


def _wanted(decided: Iterable[Decision], wanted: int) -> list[Decision]:
    """All of them up to the last one that is wanted, looked at no further."""
    found = list[Decision]()
    for one in decided:
        found.append(one)
        wanted -= isinstance(one[1], Granted)
        if wanted <= 0:
            break
    return found


def _kept(
    message: Message, decision: Granted | Change, buckets: Sequence[Bucket], now: datetime
) -> Granted | Change:
    turn = quotas.turn(buckets, now)
    if turn is None:
        return decision
    due_at = min(turn, message.expires_at)
    return Change(message.id, Status.DEFERRED, quotas.QUOTA, due_at)


def _domain(gate: Gate | None, vault: Vault) -> str | None:
    """Where the mail goes; None where that does not open: it is composed by nobody then."""
    if gate is None:
        return None
    try:
        mailbox = personal.open_mailbox(gate, vault)
    except SealError:
        return None
    return None if mailbox is None else mailbox.rpartition("@")[2].lower()
