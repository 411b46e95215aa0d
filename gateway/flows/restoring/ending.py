"""Messages that had not ended at the backup end: nobody can tell what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Item
from audit.kinds import Kind
from audit.log import Log
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.trail import Trail
from delivery import changing, outbox, restored
from delivery.changing import Change
from delivery.outbox import Message, Status
from delivery.outcome import Outcome
from gateway.flows.sending import ends, settle
from gateway.flows.sending.settle import Result
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 500


async def end_all(
    data: Database, keystore: KeyStore, clock: Clock, keys: RowKeys, log: Log
) -> Counter[Status]:
    """End them page by page; a run that was killed goes on where it was. How many, by status."""
    counts: Counter[Status] = Counter()
    after: str | None = None
    while True:
        async with data.read() as connection:
            now = await clock.now(connection)
            seen = await restored.look(connection, now, after, _AT_ONCE)
        if not seen:
            return counts
        after = seen[-1].id
        vault = await keystore.vault({one.subject for one in seen})
        async with data.begin() as connection:
            locked = await outbox.lock(connection, [one.id for one in seen])
            counts += await _end(connection, clock, keys, log, list(locked.values()), vault)


async def _end(
    connection: AsyncConnection,
    clock: Clock,
    keys: RowKeys,
    log: Log,
    messages: Sequence[Message],
    vault: Vault,
) -> Counter[Status]:
    begun = [one for one in messages if one.status is Status.SENDING]
    waiting = [one for one in messages if one.status in (*outbox.WAITING, Status.PAUSED)]
    results = [Result(one, _change(one), Outcome.UNCERTAIN) for one in begun]
    await settle.record(connection, clock, log, keys, results, vault)
    now = await clock.now(connection)
    await changing.change(connection, [_change(one) for one in waiting], now)
    # Of marketing that was not begun at the backup no attempt can be told of.
    cancelled = [one for one in waiting if restored.end_of(one) is Status.CANCELLED]
    items = [_item(one, vault) for one in cancelled]
    if items:
        trail = Trail(log, vault, {})
        trail.record_batch(Kind.MESSAGE_CANCELLED, now, items)
        await trail.stage(connection)
    return Counter(restored.end_of(one) for one in (*begun, *waiting))


def _change(message: Message) -> Change:
    tried = message.status is Status.SENDING
    return Change(message.id, restored.end_of(message), restored.RESTORED, tried=tried)


def _item(message: Message, vault: Vault) -> Item:
    named = vault.has(message.subject, Compartment.EVIDENCE)
    return ends.item(message, restored.RESTORED, named=named)
