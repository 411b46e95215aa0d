"""`gateway restore`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import putting
from gateway.cli.talk import configuration, fail, result, run, say
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.flows.restoring.restoration import Done, Found, Restoration
    from gateway.flows.rights.erasing import Erasing

_UNKNOWN = (
    "What nobody can know: who signed up, confirmed, paused or gave another address in that"
    " time, whom mail bounced, who complained or lifted a stop, and what operators did. Look"
    " through `gateway api-key list` and `gateway texts list`: what was revoked or retired since"
    " stands again."
)
_WORDS = {
    "consent.withdrawn": ("withdrawal", "withdrawals"),
    "consent.left": ("withdrawal of who had no key", "withdrawals of who had no key"),
    "consent.objected": ("objection", "objections"),
    "subject.restricted": ("restriction", "restrictions"),
    "subject.erasure_held": ("erasure that waits for a hold", "erasures that wait for a hold"),
    "subject.erasure_started": ("erasure", "erasures"),
}


@dataclass(frozen=True)
class _Plan:
    found: Found
    kinds: Mapping[str, int]
    strangers: int
    keyless: int
    damaged: int
    erased: int
    entries: tuple[int, int | None]  # of the log, and of the guard


def restore(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Where backups lie, for stores that are gone."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do what was said before.")] = False,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="All stores were put back from one moment: on a new machine nothing else tells.",
        ),
    ] = False,
    identity: Annotated[
        Path | None, typer.Option(help="Of an encrypted backup: a file with its age identity.")
    ] = None,
    store: Annotated[
        list[str] | None,
        typer.Option(help="With --replace: data or keystore, which a backup is to replace."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a --store back in the place of what is there.")
    ] = False,
    accept_period: Annotated[
        bool,
        typer.Option(
            "--accept-period", help="Send marketing again: answer for the time that is not known."
        ),
    ] = False,
) -> None:
    """Bring a gateway in order whose stores were put back from a backup, or are gone.

    Finds out which of them is an older one, and says what that means and what it will do;
    with --yes it does it. What people took away since is taken away again, as the guard's store
    tells it; erased people are erased again; the log is closed where entries are gone, and its
    successor tells of the gap. Every process must be stopped. Killed anywhere, run it again.
    """
    config = configuration(context)
    if accept_period:
        return _accept(config)
    if folder is not None or run(putting.gone(config)):
        putting.put_back(config, folder, identity, store or (), replace=replace, yes=yes)
    done = run(_restore(config, together=together, yes=yes))
    if done is None:
        say("nothing is to be done: no store is older than another")
        say("put back together from one moment on a new machine, nothing tells: say --together")
    elif isinstance(done, _Plan):
        _tell_plan(done)
        raise fail("nothing was done: say --yes")
    else:
        _tell_done(*done)


async def _restore(
    config: Config, *, together: bool, yes: bool
) -> _Plan | tuple[Found, Done] | None:
    from gateway.errors import KeyringLetGo, OthersRun
    from gateway.flows.restoring import older, restoration
    from gateway.flows.rights.erasing import Erasing
    from gateway.process.lifespan import open_parts
    from storage import alone

    if await alone.others(config.storage.url):
        raise OthersRun
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_parts(config))
        if gone := await older.unfindable(parts.data, parts.lookup, parts.rows, parts.clock):
            raise KeyringLetGo(gone[-1])
        steps = _steps(Erasing(parts))
        found = await restoration.look(steps.erasing, declared=together)
        if not found.restored.anything:
            return None
        if yes:
            return found, await steps.carry_out(found, lambda step: say(f"… {step}"))
        return await _plan(steps, found)


def _steps(erasing: Erasing) -> Restoration:
    from audit.successor import Opening
    from gateway.flows.leaving.same_mailbox import SameMailbox
    from gateway.flows.leaving.withdraw import Withdrawals
    from gateway.flows.restoring.high_water import HighWater
    from gateway.flows.restoring.replay import Acts
    from gateway.flows.restoring.restoration import Restoration
    from gateway.flows.rights.erase import Erasures
    from gateway.flows.rights.stops import Stops

    parts = erasing.parts
    stops = Stops(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        SameMailbox(parts.keyring.suppression, parts.lookup),
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.takings,
        parts.config,
    )
    acts = Acts(Withdrawals(parts), stops, Erasures(erasing), erasing)
    signers = parts.publisher.signers
    seen = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows).read()
    opening = Opening(parts.log, signers, parts.data, parts.guard, parts.clock, seen)
    return Restoration(erasing, acts, opening)


async def _plan(steps: Restoration, found: Found) -> _Plan:
    from gateway.flows.restoring import older, restoration
    from gateway.flows.restoring.brought_back import Keys

    parts = steps.erasing.parts
    kinds, strangers = await restoration.count(steps.erasing)
    apart = await Keys(steps.erasing, steps.acts.erasures).apart(lambda looked: None)
    verifier = parts.publisher.verifier
    facts, _ = await older.of_log(parts.data, parts.guard, parts.log, verifier)
    stood = None if facts.guard is None else facts.guard.size
    entries = (facts.size, stood)
    people = (len(apart.keyless), apart.damaged, len(apart.erased))
    return _Plan(found, kinds, strangers, *people, entries)


def _tell_plan(plan: _Plan) -> None:
    found = plan.found
    names = " and ".join(found.restored.names)
    result(f"Older than they were: {names}.")
    size, stood = plan.entries
    if found.restored.closes:
        result(f"The log has {counted(size, 'entry', 'entries')}, its guard stood at {stood}.")
        if found.restored.guard and found.seen is not None:
            result(f"This machine saw {counted(found.seen.size, 'entry', 'entries')} published.")
        result("It is closed there; its successor begins with what is gone.")
    result(
        f"Not known is what happened from {_at(found.period.since)} to {_at(found.period.until)}."
    )
    for kind, number in sorted(plan.kinds.items()):
        said = counted(number, *_WORDS.get(kind, (kind, kind)))
        result(f"  {said} since: taken away again")
    if plan.strangers:
        result(f"  {counted(plan.strangers, 'word')} of people who are not here any more")
    if plan.erased:
        result(f"  {counted(plan.erased, 'person', 'people')} erased since: erased again")
    _tell_of_keys(plan)
    if found.restored.data:
        result(
            "Requests that wait, links and sessions are dropped; service mails end cancelled,"
            " marketing that may have been sent uncertain. Operators of the desk are revoked:"
            " who was since would stand again."
        )
    if not found.reaches:
        result("Who left in that time is not known whole: marketing is held until you accept it.")
    result(_UNKNOWN)


def _tell_of_keys(plan: _Plan) -> None:
    if plan.keyless:
        result(
            f"  {counted(plan.keyless, 'person', 'people')} whose keys are in no store: nobody can"
            " read or mail them, and they are let go of. A newer backup of the key store has them."
        )
    if plan.damaged:
        result(f"  {_damaged(plan.damaged)}")


def _damaged(people: int) -> str:
    who = counted(people, "person", "people")
    return f"{who} with some keys missing: left as they are; `gateway audit verify` names them"


def _tell_done(found: Found, done: Done) -> None:
    said = done.replayed
    result(
        f"taken away again: {counted(said.withdrawals, 'withdrawal')},"
        f" {counted(said.objections, 'objection')}, {counted(said.restrictions, 'restriction')},"
        f" {counted(said.erasures + done.erased, 'erasure')};"
        f" {said.strangers} of people who are not here"
    )
    result(
        f"dropped: {counted(done.dropped.intake, 'request')},"
        f" {counted(done.dropped.links, 'link')},"
        f" {counted(done.dropped.sessions, 'session')}; messages: "
        + (", ".join(f"{n} {status}" for status, n in sorted(done.ended.items())) or "none")
    )
    result(
        f"keys: of {counted(done.destroyed, 'person', 'people')} destroyed again,"
        f" {counted(done.keyless, 'person', 'people')} had none and were let go of"
    )
    if done.damaged:
        result(_damaged(done.damaged))
    if done.operators:
        many = counted(done.operators, "operator")
        result(f"{many} of the desk revoked: enter them anew by `gateway operator create`")
    for gap in done.lost:
        result(gap.says(f"log {gap.generation}"))
    for subject in said.held:
        result(f"waits to be erased, and the hold may be lost: {subject}")
    if not found.reaches:
        result(
            f"MARKETING IS HELD: nobody knows who left from {_at(found.period.since)} to"
            f" {_at(found.period.until)}. `gateway restore --accept-period` sends it again."
        )
    say("`gateway audit verify` checks what there is; start the processes.")


def _accept(config: Config) -> None:
    held = run(_accepted(config))
    if held is None:
        say("marketing is not held")
        return
    result(f"accepted: {_at(held[0])} to {_at(held[1])}; marketing goes out again")


async def _accepted(config: Config) -> tuple[datetime, datetime] | None:
    from gateway.cli.stores import open_stores
    from gateway.flows.restoring import marketing

    async with open_stores(config) as stores:
        held = await marketing.accept(stores.data, stores.log, stores.clock)
    return None if held is None else (held.since, held.until)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
