"""What the log let go of must not be there again: it would make up for what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from audit import forgetting
from audit.kinds import Kind
from audit.log import Log
from consent.keys.vault import Vault
from gateway.flows.keeping import proofs
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 500


async def doubts(
    data: Database, log: Log, keys: RowKeys, vault: Callable[[Collection[str]], Awaitable[Vault]]
) -> AsyncIterator[str]:
    """Items of people whose term is over, and that nothing needs any more."""
    async with data.read() as connection:
        through = await forgetting.reached(connection, log)
    after = (-1, -1)
    while True:
        # Of one moment: what goes with its permit between two statements would seem put back.
        async with data.snapshot() as connection:
            rows = await forgetting.left(connection, proofs.OF_MAILS, through, after, _AT_ONCE)
            kinds = {(row.eid, row.subject): Kind(row.kind) for row in rows}
            keep = await proofs.outliving(connection, keys, kinds)
        if not rows:
            return
        over = [row for row in rows if (row.eid, row.subject) not in keep]
        opened = forgetting.opened(over, await vault({row.subject for row in over}))
        there = {(one.eid, one.position) for one in opened}
        for row in over:
            if (row.eid, row.position) in there:
                place = f"{row.leaf_index}/{row.position}"
                yield f"audit_item {place}: its term is over, and it is there"
        after = (rows[-1].leaf_index, rows[-1].position)
