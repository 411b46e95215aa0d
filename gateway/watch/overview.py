"""How the gateway stands: what `gateway status` and `gateway keys status` show.

Numbers, moments and our own ids: nothing here is about anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import published, staged, witnessed
from consent import intakes, rights_requests
from consent.keys import epochs as kek_epochs
from consent.keys import nodes, phases, verified
from consent.keys.epochs import Epoch, EpochState
from consent.keys.verified import VerifiedBackup
from consent.rights_requests import Due
from consent.tellings import Behind
from delivery import outbox
from delivery import overview as delivery_overview
from delivery.outbox import WAITING, Status
from delivery.overview import WorkerSeen
from gateway.parts import Parts
from gateway.watch import posted, templates, verification, webhooks
from gateway.watch.held_up import Eyes
from gateway.watch.hindrances import Facts
from gateway.watch.marketing import Period
from gateway.watch.posted import Posted
from gateway.watch.verification import Nights
from storage.bad_rows import Standing
from storage.database import Database
from storage.honesty import RowKeys

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LogProgress:
    """How far the log has come."""

    size: int  # entries under the newest checkpoint
    pending: int  # staged, not yet in the tree
    checkpoint_at: datetime | None
    nights: Nights  # what verifications came to
    witnesses: str | None  # who cosigned the last public checkpoint; none where nobody is asked
    mail: Posted | None  # whether the mailbox that keeps checkpoints got the last one


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at everything, at one moment."""

    at: datetime
    outbox: Mapping[str, int]  # what has not ended, by status
    ended: Mapping[str, int]  # in the last day, by status
    oldest_due: datetime | None
    intake: int
    parked: Sequence[Standing]  # what cannot be worked off
    workers: Sequence[WorkerSeen]
    rights_requests: Due
    webhooks: Sequence[Behind]  # who has not acknowledged what
    audit: LogProgress
    held: Period | None  # for which marketing waits for an operator
    epochs: Sequence[KeyEpoch]
    backup: VerifiedBackup | None  # the newest that was found whole
    templates: Sequence[str]  # what is wrong with the operator's own
    facts: Facts  # by which it is decided why mail waits


@dataclass(frozen=True, slots=True)
class KeyEpoch:
    """A key-encryption key: where it stands, and what it wraps."""

    epoch: int
    state: EpochState
    since: datetime
    keys: int  # data keys that it wraps
    held: bool  # by this machine's keyring
    rotation_due: bool
    waits_for: tuple[str, ...]  # processes that lack it, while it is new
    recoverable: str | None  # until when copies may give what it wrapped


async def look(parts: Parts) -> Overview:
    """Look at everything. Changes nothing."""
    async with parts.key_database.read() as connection:
        backup = await verified.newest(connection, parts.rows)
    nights = await verification.look(parts.guard, parts.rows, parts.log.first)
    audit = parts.config.audit
    verifier, known = parts.publisher.verifier, witnessed.known(audit.vkeys)
    seen = await witnessed.seen(parts.data, parts.guard, parts.log, verifier, known)
    eyes = Eyes(parts.data, parts.keystore, parts.clock, parts.log.macs, parts.lookup)
    facts = await eyes.facts(Facts(now=parts.clock.wall()))
    async with parts.data.read() as connection:
        now = await parts.clock.now(connection)
        counts = await outbox.counts(connection)
        newest = await published.newest(connection, parts.publisher.verifier)
        waiting = {
            str(status): sum(n for (_, counted), n in counts.items() if counted == status)
            for status in (*WAITING, Status.SENDING)
        }
        return Overview(
            at=now,
            outbox=waiting,
            ended=await delivery_overview.ended_since(connection, now - _DAY),
            oldest_due=await delivery_overview.oldest_due(connection, now),
            intake=await intakes.waiting(connection),
            parked=facts.parked,
            workers=await delivery_overview.workers(connection),
            rights_requests=await rights_requests.count_due(connection, now),
            webhooks=await webhooks.look(connection, parts.config.webhooks),
            audit=LogProgress(
                size=0 if newest is None else newest.checkpoint.size,
                pending=await staged.pending(connection),
                checkpoint_at=None if newest is None else newest.published_at,
                nights=nights,
                mail=await posted.look(connection, parts.log.macs, audit),
                witnesses=verification.of_witnesses(seen, audit) if audit.witnesses else None,
            ),
            held=facts.held,
            epochs=await epochs(
                parts.key_database,
                parts.rows,
                parts.clock.wall(),
                parts.config.keys.rotate_every,
                parts.keyring.keks,
            ),
            backup=backup,
            templates=templates.flaws(parts.templates.own),
            facts=facts,
        )


async def epochs(
    key_database: Database,
    keys: RowKeys,
    now: datetime,
    rotate_every: timedelta,
    held: Collection[int],
) -> list[KeyEpoch]:
    """Every key-encryption key that the key store knows of, oldest first.

    *held* are the epochs of this machine's keyring.
    """
    known = await kek_epochs.known(key_database, keys)
    async with key_database.read() as connection:
        waiting = nodes.waited_for(known, await nodes.running(connection, now))
    return [
        _key_epoch(epoch, now, rotate_every, held, waiting.get(epoch.epoch, ())) for epoch in known
    ]


def _key_epoch(
    epoch: Epoch,
    now: datetime,
    rotate_every: timedelta,
    held: Collection[int],
    waits_for: tuple[str, ...],
) -> KeyEpoch:
    old = epoch.since + rotate_every <= now
    return KeyEpoch(
        epoch=epoch.epoch,
        state=epoch.state,
        since=epoch.since,
        keys=epoch.keys,
        held=epoch.epoch in held,
        waits_for=waits_for,
        recoverable=phases.recoverable(epoch),
        rotation_due=old and epoch.state is EpochState.ACTIVE,
    )
