"""`gateway audit recover`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.talk import fail, result, run, say

if TYPE_CHECKING:
    from audit.gaps import Gap
    from audit.successor import Survey
    from gateway.config.config import Config


def recover(config: Config, *, yes: bool) -> None:
    """Say where the log ends that can be proved; with *yes* close it there."""
    survey, lost = run(_recover(config, yes=yes))
    if survey.flaw is None:
        say("every entry is what a gateway wrote, and what was signed fits: nothing to recover")
        return
    result(survey.flaw)
    if not lost:
        result(f"closed at {survey.size}, the log would go on in its successor")
        raise fail("nothing was done: say --yes")
    for gap in lost:
        result(gap.says(f"log {gap.generation}"))


async def _recover(config: Config, *, yes: bool) -> tuple[Survey, list[Gap]]:
    from audit import successor
    from audit.errors import GuardConflict, LogDamaged, RowDamaged
    from audit.gaps import Cause
    from audit.publish import Publisher
    from audit.successor import Opening
    from gateway.errors import OthersRun
    from gateway.flows.restoring.high_water import HighWater
    from gateway.process.lifespan import open_parts
    from storage import alone

    if await alone.others(config.storage.url):
        raise OthersRun
    async with open_parts(config) as parts:
        data, guard, log = parts.data, parts.guard, parts.log
        signers = parts.publisher.signers
        async with guard.read() as connection:
            held = await successor.guards(connection, signers.verifier)
        survey = await successor.survey(data, log, log.generation, held, signers.verifier)
        if survey.flaw is None:
            try:
                await parts.publisher.publish(data, guard, parts.clock)
            except (GuardConflict, LogDamaged, RowDamaged) as error:
                survey.flaw = str(error)  # every entry is whole, and hashes beside them are not
        if survey.flaw is None or not yes:
            return survey, []
        seen = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows).read()
        opening = Opening(log, signers, data, guard, parts.clock, seen)
        new = await opening.begin()
        lost = await opening.end(new, Cause.DAMAGED)
        async with data.begin() as connection:
            await new.sequence(connection)
        await Publisher(new, signers).publish(data, guard, parts.clock)
    return survey, lost
