"""What runs by itself, in every process: any of them can do all of it.

Intake, fresh links, new addresses, the sequencer, the public checkpoint and the spreading of
changes take a lock that lets one process at a time do them; the others are safe beside
themselves, by row locks or compare-and-swap.

What was asked for by people is looked for once for all kinds, four times a second, and whoever
works it off is called.

A duty that fails says so and is tried again at its next turn, which comes later
each time; one that cannot be run because a store is away, or this keyring lacks a
look-up key that another node has, is no failure of ours.
Neither ends the process or another duty; `gateway_duty_failing` tells whoever watches.
A log that lacks what was published does: then the data are an older backup.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Final, Literal

import structlog

from audit import public, staged
from audit.errors import AllOlder, GuardAhead
from audit.export.selection import Passed
from audit.log import Log
from consent import address_links, fresh_links, intakes, links, service_mails, suppressions
from consent.errors import KeyringBehind
from consent.intakes import IntakeKind
from consent.keys.keystore import KeyStore
from consent.lookup import LookUp
from delivery import ahead, campaigns
from gateway import limits
from gateway.callers import desk_exports, idempotency, visits
from gateway.config.config import Config
from gateway.errors import Busy, Invalid
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.launch import Stores
from gateway.flows.desk.making import Making, drop_ended
from gateway.flows.desk.sign_in import SignIns
from gateway.flows.errors import NotNow, TooLong
from gateway.flows.joining import attestations, intake
from gateway.flows.keeping import endings, expire, retention
from gateway.flows.keeping.due_takings import DueTakings
from gateway.flows.keeping.rotation import Rotation
from gateway.flows.keeping.set_rotation import SetRotation
from gateway.flows.proving.export_forms import Export
from gateway.flows.proving.exports import Exports
from gateway.flows.restoring.high_water import HighWater
from gateway.flows.rights import fresh_link, reminders
from gateway.flows.rights.address_mails import AddressMails
from gateway.flows.rights.dossier import Aside
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.following import identified
from gateway.flows.rights.holds import Holds
from gateway.flows.rights.telling import Tellings, receivers_of
from gateway.flows.sending import quotas, recover
from gateway.http import audit_files
from gateway.http.typesetter import Typesetter
from gateway.http.webhooks import Webhooks
from gateway.keyfiles.dkim_rotation import FollowedSigners
from gateway.keyfiles.followed import FollowedKeyring
from gateway.keyfiles.followed_sets import FollowedSets
from gateway.parts import Parts
from gateway.watch import logs
from gateway.watch.metrics import Metrics
from storage import bad_rows
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

log = structlog.get_logger()

# Between two tries of what does not succeed: soon after a store is back, but
# without a line of log for each tick of a damaged row that waits for a person.
_LONGEST_AWAY = timedelta(seconds=2)
_LONGEST_FAILED = timedelta(seconds=30)
_SEQUENCED = 1024  # at once
_EXPORTS_AT_ONCE = 2
# Fewer wait for the next look: a pass costs as much as it takes to work ten requests off.
_ENOUGH = 40


@dataclass(frozen=True, slots=True)
class Duty:
    """*run* returns how much it did; while that is *enough* at once it runs without a pause.

    It is safe to repeat, whether or not its last run took effect. A *call* ends its pause,
    but not that after a run which did not succeed.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[int]]
    call: asyncio.Event = field(default_factory=asyncio.Event)
    enough: int = 1


def of(parts: Parts) -> list[Duty]:
    """Every duty of a gateway."""

    async def takeover() -> int:
        # Journals first: they know of what a lease that ran out only tells "uncertain".
        return await recover.from_journals(parts) + await recover.abandoned(parts)

    seen = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows)
    publish = partial(_publish, seen, parts.data, parts.guard, parts.clock)
    expiry = expire.Expiry(parts)
    rules = retention.RetentionRules(parts).rules()
    ring = FollowedKeyring(parts.config.keys.keyring, parts.keyring)
    stores = (parts.key_database, parts.data, parts.clock, parts.log, parts.rows)
    opened = (parts.data, parts.key_database, parts.guard, parts.clock)
    kinds = endings.of(*opened, parts.lookup, parts.keystore, parts.keyring.sets, parts.publisher)
    both = (SetRotation(*stores, FollowedSets(ring), kinds), Rotation(*stores, ring))
    webhooks, told = parts.config.webhooks, receivers_of(parts.config)
    noted = (parts.data, parts.clock, parts.rows)
    send, called = Webhooks(webhooks).send, partial(identified, parts.data, parts.keystore)
    telling = Tellings(*noted, parts.log, told, send, called)
    of_mails = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
    expansion = Expansion(Stores(*of_mails), partial(quotas.ahead, parts.config))

    def duty(name: str, seconds: float, run: Callable[[], Awaitable[int]]) -> Duty:
        return Duty(name, timedelta(seconds=seconds), run)

    desk = SignIns(*of_mails, parts.lookup, parts.marks, parts.config, Erasing(parts))
    asked = (partial(one.work_off, parts) for one in (intake, fresh_link))
    return [
        *_called(parts.data, parts.lookup, *asked, AddressMails(parts).work_off, desk.work_off),
        duty("campaigns", 0.5, expansion.work_off),
        duty("sequencer", 0.2, partial(_sequence, parts.data, parts.clock, parts.log)),
        duty("public_checkpoint", 10, partial(_show, parts.data, parts.log, parts.clock)),
        duty("publisher", 0.5, publish),
        duty("takings_away", 1, DueTakings(*noted, parts.takings).work_off),
        duty("changes", 0.5, telling.spread),
        *(duty(f"webhook {name}", 1, partial(telling.tell, name)) for name in webhooks),
        duty("expiry", 5, expiry.by_date),
        duty("disuse", 3600, expiry.by_use),
        duty("takeover", 5, takeover),
        duty("keys", 5, partial(_keep_keys, ring, *both)),
        duty("dkim", 10, FollowedSigners(parts.config, parts.signers).follow),
        duty("holds", 5, Holds(Erasing(parts)).work_off),
        duty("desk", 600, desk.let_go),
        *_making(of_mails[:5], partial(Exports, parts), parts.config),
        duty("exports that ended", 5, partial(drop_ended, parts.data, parts.clock)),
        duty("sweep", 600, lambda: sweep(parts)),
        duty("reminders", 600, lambda: reminders.remind(parts.data, parts.clock, parts.rows)),
        *(duty(f"retention of {what}", 600, run) for what, run in rules.items()),
    ]


def _making(
    stores: tuple[Database, KeyStore, Clock, Log, RowKeys],
    exports: Callable[[Aside, Passed], Exports],
    config: Config,
) -> list[Duty]:
    """Exports of the desk, two at once: a long one does not keep a short one waiting."""
    typesetter = Typesetter()

    async def paper(export: Export, locale: str, case: str | None) -> bytes:
        try:
            return await audit_files.paper(typesetter, config, export, locale, case=case)
        except Invalid:
            raise TooLong from None
        except Busy:
            raise NotNow from None

    taken = partial(exports, typesetter.aside)
    makers = [Making(*stores, taken, paper) for _ in range(_EXPORTS_AT_ONCE)]
    named = enumerate(makers, 1)
    # At the end of the process a duty is called: then it gives back what it makes.
    return [
        Duty(f"exports {n}", timedelta(seconds=1), one.work_off, one.stopping) for n, one in named
    ]


def _called(data: Database, lookup: LookUp, *runs: Callable[[], Awaitable[int]]) -> list[Duty]:
    """Those that work off what people asked for, one for each of `_CALLED`; and who calls them."""
    seldom, named = timedelta(seconds=5), zip(_CALLED.items(), runs, strict=True)
    waiting = {kind: Duty(name, seldom, run, enough=_ENOUGH) for (kind, name), run in named}
    calls = {kind: one.call for kind, one in waiting.items()}
    look = partial(_look, data, lookup, calls)
    return [Duty("arrivals", timedelta(seconds=0.25), look), *waiting.values()]


_CALLED: Final = {
    IntakeKind.SIGN_UP: "intake",
    IntakeKind.FRESH_LINK: "fresh_links",
    IntakeKind.ADDRESS: "addresses",
    IntakeKind.SIGN_IN: "sign_ins",
}


async def _look(data: Database, lookup: LookUp, calls: Mapping[IntakeKind, asyncio.Event]) -> int:
    """Call whoever works off what waits: one look for all of them, four times a second."""
    async with data.read() as connection:
        await lookup.find(connection, ())  # a key may have come that we lack
        for kind in await intakes.kinds(connection):
            calls[kind].set()
    return 0


async def _show(data: Database, audit_log: Log, clock: Clock) -> int:
    await public.show(data, audit_log, clock)
    return 0


async def _sequence(data: Database, clock: Clock, audit_log: Log) -> int:
    """Without a pause only while more waits than is taken at once: a pass has its own cost."""
    async with data.read() as connection:
        if not await staged.waits(connection):
            return 0
    async with data.begin() as connection:
        now = await clock.now(connection)
        done = await audit_log.sequence(connection, _SEQUENCED, now=now) or 0
    return done if done >= _SEQUENCED else 0


async def _publish(seen: HighWater, data: Database, guard: Database, clock: Clock) -> int:
    """However much is new: a checkpoint costs the stores as much as fifty sign-ups."""
    await seen.publish(data, guard, clock)
    return 0


async def _keep_keys(ring: FollowedKeyring, sets: SetRotation, keks: Rotation) -> int:
    """The sets first: a process that stood still knows by them which rows are ours."""
    ring.refresh()
    return await sets.keep() + await keks.keep()


async def sweep(parts: Parts) -> int:
    """Forget what limits, blocks and protects nothing any more; correct what a clock put off."""
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await ahead.bring_back(connection, now, parts.config.delivery.lease)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await suppressions.purge(connection, now)
        await limits.purge(connection, now)
        await idempotency.purge(connection, now)
        await attestations.purge(connection, now)
        await fresh_links.forget(connection, now)
        await visits.forget(connection, now)
        await desk_exports.forget(connection, now)
        await address_links.forget(connection, now)
        await service_mails.forget(connection, now)
        unconfirmed = parts.config.retention.unconfirmed
        await links.forget_confirmations(connection, now - unconfirmed)
        given_up = await intakes.give_up(connection, now, unconfirmed)
        await bad_rows.purge(connection, now)
    if given_up:
        log.error("intake_given_up", rows=given_up)
    await parts.keystore.sessions.sweep(parts.clock.wall())
    await _sweep_content_keys(parts.data, parts.keystore, parts.clock)
    closed = await parts.keystore.closed_intake_keys(parts.clock.wall())
    async with parts.data.read() as connection:
        in_use = await intakes.keys_in_use(connection)
    await parts.keystore.destroy_intake_keys(set(closed) - in_use)
    return 0


async def _sweep_content_keys(data: Database, keystore: KeyStore, clock: Clock) -> None:
    """With the last content that names one, its key goes: no backup of the data is read by it."""

    async def named(keys: Sequence[str]) -> set[str]:
        # Must raise where the data is away: what is not named loses its key for good.
        async with data.read() as connection:
            return await campaigns.keys_in_use(connection, keys)

    await keystore.sweep_content_keys(named, clock.wall())


async def keep(duties: Sequence[Duty], metrics: Metrics, stopping: asyncio.Event) -> None:
    """Run each duty in its rhythm until *stopping*; what is under way is finished.

    What is not begun then is the next process's: nothing depends on a last turn.
    """
    async with asyncio.TaskGroup() as group:
        for duty in duties:
            group.create_task(_keep_one(duty, metrics, stopping), name=f"duty {duty.name}")
        await stopping.wait()
        for duty in duties:
            duty.call.set()


async def _keep_one(duty: Duty, metrics: Metrics, stopping: asyncio.Event) -> None:
    tries = 0
    while not stopping.is_set():
        duty.call.clear()  # before it looks: what comes after its look calls again
        turn = await _run(duty, metrics)
        metrics.failing.labels(duty.name).set(turn.result == "failed")
        tries = 0 if turn.result == "done" else tries + 1
        if turn.did < duty.enough:
            heard = duty.call if turn.result == "done" else stopping
            with suppress(TimeoutError):
                pause = _pause(duty, turn.result, tries)
                await asyncio.wait_for(heard.wait(), pause.total_seconds())


@dataclass(frozen=True, slots=True)
class _Turn:
    """How one run of a duty ended, and how much it did."""

    result: Literal["done", "away", "behind", "failed"]
    did: int = 0


async def _run(duty: Duty, metrics: Metrics) -> _Turn:
    begun = perf_counter()
    try:
        turn = _Turn("done", await duty.run())
    except (GuardAhead, AllOlder):
        raise  # the data were replaced by older ones below us: nothing more is served or sent
    except StorageAway as error:
        turn = _Turn("away")
        log.warning("duty.waits", duty=duty.name, store=error.store, why=error.why)
    except KeyringBehind as error:
        turn = _Turn("behind")
        log.warning("duty.waits", duty=duty.name, key_id=", ".join(error.keys))
    except Exception as error:  # noqa: BLE001 one bad row must not stop all duties for good
        turn = _Turn("failed")
        logs.failed("duty.failed", error, duty=duty.name)
    metrics.duties.labels(duty.name, turn.result).observe(perf_counter() - begun)
    return turn


def _pause(duty: Duty, result: str, tries: int) -> timedelta:
    """Twice as long after each try that did not succeed."""
    longest = {"away": _LONGEST_AWAY, "behind": _LONGEST_FAILED, "failed": _LONGEST_FAILED}.get(
        result, duty.every
    )
    return max(duty.every, min(duty.every * (1 << min(tries, 16)), longest))
