"""`gateway campaign`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import (
    configuration,
    fail,
    progress,
    read_json,
    result,
    result_json,
    run,
    say,
    table,
)
from gateway.cli.typed import address_of_stdin, agrees
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from datetime import datetime

    from consent.address import Address
    from delivery.campaigns import Campaign
    from delivery.templates import Templates
    from gateway.config.config import Config
    from gateway.flows.campaigning.launch import Order, Stores
    from gateway.flows.campaigning.reach import Reach
    from gateway.flows.campaigning.standing import Standing
    from gateway.flows.campaigning.steering import Refusal, Steering
    from storage.database import Database

app = typer.Typer(help="Mails to everyone whom a purpose permits.", no_args_is_help=True)
_Id = Annotated[str, typer.Argument(metavar="ID", help="As `create` printed it: cmp_…")]
_Json = Annotated[bool, typer.Option("--json", help="For a machine.")]
_AT_ONCE = 500
_GOING = ("queued", "sending", "deferred", "paused")
_LOOK_EVERY = 1.0  # seconds
_LOOKS = 60
_NOBODY = (
    "nothing was made: nobody would get it; `gateway texts list` says how many agreed to what, and"
    " --audience may name nobody"
)
_TRIED = timedelta(hours=1)  # what was to be seen at once is of no use a day later


@app.callback()
def group() -> None:
    """Mails to everyone whom a purpose permits; docs/campaigns.md has a first one."""


@app.command()
def create(
    context: typer.Context,
    purpose: Annotated[str, typer.Option(help="Whose consents permit it.")],
    content: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help='JSON as the API takes it: {"template": …, "data": …}, or'
            ' {"subject": …, "html": …, "text": …}.',
        ),
    ],
    audience: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON as the API takes it; without it: everyone."),
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339; else at once.")] = None,
    per_hour: Annotated[int | None, typer.Option(help="No more than so many an hour.")] = None,
    reference: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is made.")] = False,
) -> None:
    """Say whom it would reach, ask, and make it; the id is alone on stdout.

    Everybody is looked at first as a claim would decide now, which takes seconds for ten
    thousand people. What they say is read from files, never from arguments: those are seen by
    every user of the machine. Its messages are made and sent by the gateway's own processes.
    """
    said: dict[str, Any] = {"purpose": purpose, "content": read_json(content)}
    more = {"send_at": at, "per_hour": per_hour, "reference": reference}
    said |= {name: value for name, value in more.items() if value is not None}
    said |= {} if audience is None else {"audience": read_json(audience)}
    made = run(_create(configuration(context), said, ask=not yes))
    result(made)


@app.command("list")
def list_(context: typer.Context, as_json: _Json = False) -> None:
    """Every campaign that is kept, oldest first."""
    found = run(_with(configuration(context), lambda stores, _: _all(stores)))
    if as_json:
        result_json([_shown(one) for one in found])
        return
    if found:
        table([_row(one) for one in found])


@app.command()
def show(
    context: typer.Context,
    campaign: _Id,
    follow: Annotated[
        bool, typer.Option("--follow", help="Look again and again until it is over.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """How one stands: its messages by what became of them, and refusals by their reason."""
    found = run(_with(configuration(context), lambda stores, _: _look(stores, campaign, follow)))
    if as_json:
        result_json(_shown(found))
        return
    for name, value in _lines(found):
        result(f"{name}: {value}")


@app.command("test")
def test_(
    context: typer.Context,
    purpose: Annotated[str, typer.Option(help="Whose consent must permit it.")],
    content: Annotated[
        Path, typer.Option(metavar="FILE", help="JSON, as `create` takes it: what is said.")
    ],
) -> None:
    """Send it to one mailbox first, yours; the address is read from stdin.

    As everyone will get it, and no other way: the mailbox must have agreed to the purpose, like
    any other, and the gateway's own processes send it. Waits for them up to a minute, and prints
    what became of it; the id of the message is alone on stdout.
    """
    said = {"purpose": purpose, "content": read_json(content)}
    sent = run(try_out(configuration(context), said, address_of_stdin()))
    result(sent)


@app.command()
def pause(context: typer.Context, campaign: _Id) -> None:
    """Let nothing of it start any more until it is resumed; returns once nothing can."""
    _steer(context, campaign, "pause")


@app.command()
def resume(context: typer.Context, campaign: _Id) -> None:
    """Let it go on where it stood."""
    _steer(context, campaign, "resume")


@app.command()
def cancel(context: typer.Context, campaign: _Id) -> None:
    """Let nothing of it start any more, for good; what waits ends `cancelled`."""
    _steer(context, campaign, "cancel")


@app.command()
def resend(
    context: typer.Context,
    campaign: _Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is done.")] = False,
) -> None:
    """Send again what ended `uncertain`, under the same Message-IDs: some may arrive twice."""
    again = run(_with(configuration(context), partial(_resend, campaign=campaign, ask=not yes)))
    if isinstance(again, int):
        verb = "is" if again == 1 else "are"
        say(f"{counted(again, 'message')} of {campaign} {verb} sent again")
        return
    raise _refused(again)


async def _resend(stores: Stores, steering: Steering, *, campaign: str, ask: bool) -> int | Refusal:
    from audit.kinds import Actor
    from gateway.flows.campaigning import standing
    from gateway.flows.campaigning.steering import By

    found = await standing.look(stores, campaign)
    doubted = 0 if found is None else found.counts.get("uncertain", 0)
    if doubted:
        say(f"{doubted} may have arrived, and may not; those that did arrive twice then.")
        if ask and not agrees("Send them again?"):
            raise fail("nothing was sent again")
    return await steering.resend(campaign, By(Actor.OPERATOR))


def _steer(context: typer.Context, campaign: str, step: str) -> None:
    from audit.kinds import Actor
    from gateway.flows.campaigning.steering import By, Refusal

    by = By(Actor.OPERATOR)

    async def steer(_: Stores, steering: Steering) -> Campaign | Refusal:
        steps = {
            "pause": steering.pause,
            "resume": steering.resume,
            "cancel": steering.cancel,
        }
        return await steps[step](campaign, by)

    became = run(_with(configuration(context), steer))
    if isinstance(became, Refusal):
        raise _refused(became)
    say(f"{campaign} is {became.state}")


def _refused(why: Refusal) -> typer.Exit:
    from gateway.flows.campaigning.steering import Refusal

    if why is Refusal.UNKNOWN:
        return fail("there is no such campaign; `gateway campaign list` has them")
    if why is Refusal.OLD:
        return fail("its row is older than what the log tells of it: run `gateway audit verify`")
    return fail("it stands so that this cannot be done; `gateway campaign show` says how")


_Work = Callable[["Stores", "Steering"], Awaitable[Any]]


async def _with(config: Config, work: _Work) -> Any:
    """Do *work* on the stores of this gateway."""
    from gateway.cli.stores import open_own_parts
    from gateway.flows.campaigning.launch import Stores
    from gateway.flows.campaigning.steering import Steering

    async with open_own_parts(config) as parts:
        opened = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
        stores = Stores(*opened)
        return await work(stores, Steering(stores, parts.permit_wait))


async def _create(config: Config, said: dict[str, Any], *, ask: bool) -> str:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.campaigning import launch, reach
    from gateway.flows.campaigning.launch import Stores

    async with open_own_parts(config) as parts:
        order = _order(config, parts.templates, said, parts.clock.wall())
        opened = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
        stores = Stores(*opened)
        with progress("counting whom it would reach", None) as move:
            found = await reach.reach(stores, order, lambda: True, move)
        _tell(order, found)
        if ask and not found.recipients and _begins_now(order, parts.clock.wall()):
            raise fail(_NOBODY)
        if ask and not agrees("Make it?"):
            raise fail("nothing was made")
        return str(await launch.launch(stores, order))


def _begins_now(order: Order, now: datetime) -> bool:
    """Whether who it is for is settled now, and not by those who confirm before it starts."""
    return order.starts_at is None or order.starts_at <= now


async def try_out(config: Config, said: dict[str, Any], email: Address) -> str:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.sending.accepted import Queued
    from gateway.flows.sending.enqueue import Done, Handed, Wanted, accept_all
    from gateway.flows.sending.permission import Question

    question = Question(said["purpose"], email=email)
    async with open_own_parts(config) as parts:
        order = _order(config, parts.templates, said, parts.clock.wall())
        until = parts.clock.wall() + _TRIED
        wanted = Wanted(question, order.content, None, expires_at=until, kept=order.kept)
        (taken,) = await accept_all(parts, [Handed([wanted])])
        assert isinstance(taken, Done)  # noqa: S101 it has no name
        (became,) = taken.outcomes
        if not isinstance(became, Queued):
            raise fail(f"it may not be sent there: {getattr(became, 'reason', 'invalid')}")
        await _await_end(parts.data, became.message)
    return became.message


async def _await_end(data: Database, message: str) -> None:
    from delivery import outbox

    for look in range(_LOOKS):
        await asyncio.sleep(_LOOK_EVERY * bool(look))
        async with data.read() as connection:
            found = await outbox.get(connection, message)
        if found is None or found.status in outbox.FINAL:
            break
    if found is not None and found.status is outbox.Status.SENT:
        say("it is sent")
        return
    reason = "" if found is None or found.reason is None else f", {found.reason}"
    status = "gone" if found is None else f"{found.status}{reason}"
    raise fail(f"{message} is {status}; `gateway status` says whether something holds it up")


def _order(config: Config, templates: Templates, said: dict[str, Any], now: datetime) -> Order:
    from gateway.api.campaigns import CampaignRequest, order_of
    from gateway.errors import Invalid
    from gateway.http.parsing import parse_value

    try:
        request = parse_value(said, CampaignRequest)
        return order_of(config, templates, request, now, origin=None)
    except Invalid as error:
        wrong = "; ".join(f"{one.pointer} {one.detail}" for one in error.errors)
    raise fail(f"it cannot be made so: {wrong}")


def _tell(order: Order, found: Reach) -> None:
    when = "at once" if order.starts_at is None else f"from {order.starts_at.isoformat()} on"
    pace = "" if order.per_hour is None else f", at most {order.per_hour} an hour"
    whom = counted(found.recipients, "person", "people")
    say(f"{whom} would be mailed {when}{pace}, as {order.sender}.")
    for reason, number in sorted(found.refused.items()):
        say(f"  {number} would not: {reason}")
    for one in order.blemishes:
        say(f"  mind that /content/{one.part} {one.detail}")
    say("Each is decided again when the mail is sent: who leaves meanwhile gets none.")


async def _all(stores: Stores) -> list[Standing]:
    from gateway.flows.campaigning import standing

    found: list[Standing] = []
    after: str | None = None
    while True:
        page, after = await standing.listed(stores, after, _AT_ONCE)
        found += page
        if after is None:
            return found


async def _look(stores: Stores, campaign: str, follow: bool) -> Standing:
    from gateway.flows.campaigning import standing

    with progress("messages that ended", None) as move:
        while True:
            found = await standing.look(stores, campaign)
            if found is None:
                raise fail("there is no such campaign; `gateway campaign list` has them")
            if not follow or found.campaign.ended_at is not None:
                return found
            ended = found.campaign.made - sum(found.counts.get(one, 0) for one in _GOING)
            move(ended, found.campaign.made)
            await asyncio.sleep(_LOOK_EVERY)


def _row(one: Standing) -> list[str]:
    counts = ", ".join(f"{number} {status}" for status, number in sorted(one.counts.items()))
    begins = one.campaign.starts_at.isoformat(timespec="seconds")
    return [one.campaign.id, one.campaign.purpose, one.campaign.state, begins, counts or "-"]


def _shown(one: Standing) -> dict[str, Any]:
    """As `GET /v1/campaigns/{id}` answers."""
    from gateway.api.campaigns import view

    return view(one).model_dump(mode="json")


def _lines(one: Standing) -> list[tuple[str, str]]:
    shown = _shown(one)
    counts, refused = shown.pop("counts"), shown.pop("refused")
    lines = [(name, str(value)) for name, value in shown.items() if value is not None]
    lines += [(f"  {status}", str(number)) for status, number in counts.items()]
    return lines + [(f"  refused, {reason}", str(number)) for reason, number in refused.items()]
