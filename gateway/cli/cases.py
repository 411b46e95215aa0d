"""`gateway evidence`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, progress, result, result_json, run
from gateway.cli.typed import address_of_stdin

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.flows.rights.locked_evidence import Case, Opening

_AT_ONCE = 1000  # people between two looks of whoever watches the bar

app = typer.Typer(help="Evidence that stays locked after an erasure.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Evidence that stays locked after an erasure."""


@app.command("open")
def open_(
    context: typer.Context,
    case: Annotated[
        str,
        typer.Option(
            metavar="NUMBER",
            help="Your file number; it stays in the log for ever, and so must name nobody.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why, in one line; sealed with the evidence.")],
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Open what proves the consents of somebody who was erased; the address is read from stdin.

    Nobody is found by it any more, so everything that is locked is decrypted in turn: some
    seconds for ten thousand people; ctrl-c ends it, and nothing is shown then. The log tells of
    the search before it begins, and of what is shown before it is.
    """
    wanted = _case(case, reason)
    opening = run(_open(configuration(context), wanted))
    if not opening.people:
        raise fail("no locked evidence names that address; the log tells of the search")
    if as_json:
        result_json(_document(case, opening))
        return
    for line in _lines(opening):
        result(line)


def _case(number: str, reason: str) -> Case:
    from pydantic import TypeAdapter, ValidationError

    from audit.kinds import Actor
    from gateway.flows.rights.locked_evidence import Case
    from gateway.http.fields import CaseNumber, Label

    try:
        number = TypeAdapter[str](CaseNumber).validate_python(number)
        reason = TypeAdapter[str](Label).validate_python(reason)
    except ValidationError:
        said = (
            "write --case as letters, digits and . _ / : + = - with at least one digit, at most 64;"
            " --reason as one line of at most 200 characters"
        )
        raise typer.BadParameter(said) from None
    return Case(address_of_stdin(), number, reason, Actor.OPERATOR)


async def _open(config: Config, case: Case) -> Opening:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.rights.locked_evidence import LockedEvidence

    async with open_own_parts(config) as parts:
        stores = (parts.data, parts.keystore, parts.consents, parts.log, parts.clock)
        evidence = LockedEvidence(*stores)
        found: list[str] = []
        total, done, after = await evidence.begin(case), 0, None
        with progress("decrypting what is locked", total) as move:
            while True:
                looked = await evidence.search(case, after, _AT_ONCE)
                found += looked.found
                done, after = done + looked.people, looked.after
                move(done)
                if after is None:
                    return await evidence.open(case, found)


def _document(case: str, opening: Opening) -> dict[str, Any]:
    """As `POST /v1/evidence/search` answers."""
    from gateway.http import openings

    people = [one.model_dump(mode="json") for one in openings.people(opening)]
    notices = [one.model_dump(mode="json") for one in openings.notices(opening)]
    return {"case": case, "found": people, "notices": notices}


def _lines(opening: Opening) -> Iterator[str]:
    from consent.mail_evidence import without_links

    for person in opening.people:
        until = person.locked_until
        yield f"{person.subject}: locked until {until.isoformat() if until else 'somebody looked'}"
        if not person.whole:
            yield "  the log lacks events of theirs: run `gateway audit verify`"
        for proof in person.consents:
            fits = "" if proof.fits else ", which the log does not vouch for"
            yield f"  {proof.consent.id} ({proof.consent.purpose}): {proof.consent.state}{fits}"
            if proof.text is not None:
                yield f"    {proof.text.bundle['text']!r} ({proof.text.hash})"
            for step in proof.steps:
                yield f"    {step.at.isoformat()} {step.kind}"
                for name, value in without_links(step.said.facts()).items():
                    yield f"      {name}: {value}"
