"""What a start and a restore look at: few rows, however many people there are.

An older key store lacks the keys of who came last, and in its ledger who was erased last;
an older log lacks the entries that came last. So the last ones are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published, roll, successor
from audit.checkpoints import Verifier
from audit.errors import LogMissing
from audit.kinds import Kind
from audit.log import Log
from consent import erasures, gates, restored, taken_away
from consent.keys.keystore import KeyStore
from consent.lookup import LookUp
from consent.model import SubjectState
from gateway.flows.restoring.signs import Facts, Guard
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_LAST = 20
_NOT_ONE = 2  # who lack their keys, before the store counts as an older one


async def of_log(
    data: Database, guard: Database, log: Log, verifier: Verifier
) -> tuple[Facts, datetime | None]:
    """How log and guard stand to each other, and when the last entry of the log was written."""
    async with data.read() as connection:
        newest = await published.newest(connection, verifier, log.generation)
        size, last = await _end(connection, log)
    async with guard.read() as connection:
        held = await successor.guards(connection, verifier)
    known = None
    if held.newest:
        newest_size = held.size(held.newest) or 0
        known = Guard(held.size(log.generation), held.newest, newest_size)
    stored = 0 if newest is None else newest.checkpoint.size
    return Facts(log.generation, size, stored, known), last


async def _end(connection: AsyncConnection, log: Log) -> tuple[int, datetime | None]:
    try:
        size = await log.size(connection)
    except LogMissing:
        size = 0
    return size, await roll.last_at(connection, log.macs)


async def keyless(data: Database, keystore: KeyStore, keys: RowKeys, clock: Clock) -> bool:
    """Whether those who came last of those that are here have no key at all.

    An older store lacks everybody's since; what somebody did to one person's keys stops nobody
    else, and a verification names it. An older store that lacks one newcomer alone looks the
    same: it has nobody's keys that had to go, or its ledger lacks an erasure.
    """
    async with data.read() as connection:
        now = await clock.now(connection)
        last = await restored.newest(connection, keys, now, _LAST)
    held = {subject for subject, _ in await keystore.held(last)}
    async with data.read() as connection:  # afterwards: who is being erased lacks them by right
        known = await gates.peek(connection, last)
    here = [one for one in last if one in known and known[one].live and known[one].is_honest(keys)]
    return bool(here) and held.isdisjoint(here[:_NOT_ONE])


async def unfindable(data: Database, known: LookUp, keys: RowKeys, clock: Clock) -> list[int]:
    """The look-up keys by which those who came last are found, and that our keyring let go of.

    Then the data are from before: nobody in them would be found any more, and everybody
    admitted anew.
    """
    async with data.read() as connection:
        now = await clock.now(connection)
        last = await restored.newest(connection, keys, now, _LAST)
        return sorted(await known.let_go(connection, last))


async def unledgered(data: Database, guard: Database, keystore: KeyStore, keys: RowKeys) -> bool:
    """Whether of the people who were erased last somebody is in no ledger."""
    async with data.read() as connection:
        done = await erasures.newest_done(connection, keys, _LAST)
    async with guard.read() as connection:
        said = await taken_away.newest(connection, keys, Kind.SUBJECT_ERASURE_STARTED, _LAST)
    erased = {*done, *await _gone(data, said)}
    ledger = {subject for subject, _ in await keystore.erased(erased)}
    return bool(erased - ledger)


async def _gone(data: Database, said: Sequence[str]) -> list[str]:
    """Those whose erasure is not under way any more."""
    async with data.read() as connection:
        known = await gates.peek(connection, said)
    return [one for one in said if one not in known or known[one].state is SubjectState.ERASED]
