"""`gateway erase`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, result, result_json, run, say
from gateway.cli.typed import address_of_stdin

if TYPE_CHECKING:
    from consent.erasures import Erasure
    from gateway.config.config import Config
    from gateway.flows.sending.permission import Question


def erase(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Option(metavar="ID", help="Whom, by the id that callers know.")
    ] = None,
    email_stdin: Annotated[
        bool, typer.Option("--email-stdin", help="Whom, by an address read from stdin.")
    ] = False,
    channel: Annotated[str, typer.Option(help="How the request came: letter, phone, …")] = "letter",
    received_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it came, as 2026-11-20T09:00:00Z. Default: now."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: it cannot be undone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Forget a person: from its answer on no mail to them starts on any node (Art. 17 GDPR).

    Their keys are destroyed, and with them all that was kept; what proves their
    consents stays locked until the date that is printed, where the configuration
    says so. Prints the id of the erasure, by which `gateway erasures show ID` shows its
    certificate. While a hold stands they are restricted, and erased once it ends. An
    address that nobody is known by has left all the same. What is due is due a month
    after the request was received.
    """
    if (subject is None) == (not email_stdin):
        raise typer.BadParameter("say whom: --subject ID, or --email-stdin")
    question = _question(subject)
    received = None if received_at is None else _moment(received_at)
    way = _way(channel)
    if not yes:
        raise fail("nothing was done: an erasure cannot be undone; say --yes")
    done = run(_erase(configuration(context), question, way, received))
    if done is None:
        raise fail("nobody is known by that; what was asked for by that address has ended")
    if as_json:
        result_json(_row(done))
        return
    say(f"due by {done.due_at.isoformat()}, state: {done.state}")
    if done.state == "held":
        say("a hold stands: they are restricted now, and erased once it ends")
        result(done.id)
        return
    until = done.locked_until
    locked = "nothing stays" if until is None else f"stays locked until {until.isoformat()}"
    say(f"what proves their consents: {locked}")
    result(done.id)


def _question(subject: str | None) -> Question:
    from gateway.flows.sending.permission import Question

    if subject is not None:
        return Question("", subject=subject)
    return Question("", address_of_stdin())


def _moment(typed: str) -> datetime:
    from pydantic import TypeAdapter, ValidationError

    from gateway.http.fields import Moment

    try:
        return TypeAdapter[datetime](Moment).validate_python(typed)
    except ValidationError:
        said = "write a time since 1970 with its offset, such as 2026-11-20T09:00:00Z"
        raise typer.BadParameter(said, param_hint="--received-at") from None


def _way(typed: str) -> str:
    """How it came, in a word: it stands in clear on their certificate, once they are gone."""
    from pydantic import TypeAdapter, ValidationError

    from gateway.http.fields import Channel

    try:
        return TypeAdapter[str](Channel).validate_python(typed)
    except ValidationError:
        said = "write a word for how it reached you, such as letter, phone or reply: no name"
        raise typer.BadParameter(said, param_hint="--channel") from None


async def _erase(
    config: Config, question: Question, channel: str, received: datetime | None
) -> Erasure | None:
    from audit.kinds import Actor
    from gateway.cli.stores import open_own_parts
    from gateway.config import calendars
    from gateway.errors import ConfigError
    from gateway.flows.rights.erase import Erasures, Request
    from gateway.flows.rights.erasing import Erasing

    if problems := calendars.problems(config.rights):
        raise ConfigError(problems)
    async with open_own_parts(config) as parts:
        asked = Request(question, Actor.OPERATOR, channel, received)
        return await Erasures(Erasing(parts)).erase(asked)


def _row(done: Erasure) -> dict[str, Any]:
    return {
        "erasure_id": done.id,
        "state": done.state,
        "asked_at": done.asked_at.isoformat(),
        "due_at": done.due_at.isoformat(),
        "locked_until": done.locked_until and done.locked_until.isoformat(),
    }
