"""`gateway texts`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, progress, result_json, run, say, table
from gateway.cli.typed import agrees
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from consent.resting import Resting
    from consent.texts import Retirement
    from gateway.config.config import Config
    from gateway.flows.joining.ask_anew import Told
    from gateway.flows.joining.declare import Outcome
    from gateway.flows.proving.declarations import Declared
    from gateway.watch.wordings import Listed

app = typer.Typer(help="Consent texts.", no_args_is_help=True)

_UNASKABLE = {
    "not_found": "there is no text {text}; `gateway texts list` has those",
    "covers": "consents to {text} cover the mails: there is nothing to ask",
    "nothing_now": "the configuration has no such purpose any more",
    "not_published": "start the gateway with the changed wording first: it is not published yet",
}
_Hash = Annotated[str, typer.Argument(metavar="HASH")]
_Json = Annotated[bool, typer.Option("--json", help="For a machine.")]


@app.command("list")
def list_texts(context: typer.Context, as_json: _Json = False) -> None:
    """List every wording that was ever published, and how many consents rest on each.

    Current is what the last start published; what the configuration has beyond that is
    counted. What a wording lacks (controller, sender, wording) is what it does not say of
    the mails as the configuration has them: nobody is mailed under it.
    """
    texts, altered, ahead = run(_listed(configuration(context)))
    for name in altered:
        say(f"{name}: is not what its hash says; see gateway audit verify")
    if ahead:
        said = counted(ahead, "wording")
        say(f"not published yet: {said} of the configuration; current is what the last start had")
    if as_json:
        result_json([_row(one) for one in texts])
        return
    heading = ("PURPOSE", "LOCALE", "STATE", "PUBLISHED", "CONSENTS", "SINCE", "LACKS", "HASH")
    table([heading, *(_cells(one) for one in texts)])


@app.command()
def retire(
    context: typer.Context,
    text: _Hash,
    ends_consents: Annotated[
        bool, typer.Option("--ends-consents", help="End the consents that rest on it, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="End them without being asked.")] = False,
) -> None:
    """Let nobody agree to a wording any more; consents to it stand, unless they are ended.

    How many would end is told first, and nothing is done without a yes. Each
    that ends has its event; it counts as expired, and the person may be asked anew.
    Who agreed to another wording since is mailed under that as before.
    """
    config = configuration(context)
    if ends_consents:
        _ask_whether_to_end(config, text, sure=yes)
    _require_retired(run(_retire(config, text)), text)
    say(f"{text}: retired")
    if ends_consents:
        ended, left = run(_end_consents(config, text))
        say(f"ended: {_counted(ended)}")
        if left.standing or left.waiting:
            said = f"not ended: {_counted(left)}"
            raise fail(f"{said}; see gateway audit verify, then do this again")


@app.command()
def declare(
    context: typer.Context,
    text: _Hash,
    reason: Annotated[
        str, typer.Option(help="Why it says the same; stays in the log for ever, so names nobody.")
    ],
) -> None:
    """Declare that a wording of before says the same as the configuration's does now.

    In substance: who agreed to it agreed to that. Do it before the start with
    the changed wording, and nobody is refused meanwhile. The log keeps it.
    """
    from gateway.flows.joining.declare import Outcome

    if not 1 <= len(reason.strip()) <= 500:
        raise typer.BadParameter("say why, in at most 500 characters", param_hint="--reason")
    match run(_declare(configuration(context), text, reason.strip())):
        case Outcome.NOT_FOUND:
            raise fail(f"there is no text {text}; `gateway texts list` has those")
        case Outcome.NOTHING_NOW:
            raise fail("the configuration has no wording of that purpose in its language")
        case Outcome.NOT_CHANGED:
            raise fail("the configuration has this very wording")
        case Outcome.BEFORE:
            say(f"{text}: was declared before")
        case Outcome.DECLARED:
            say(f"{text}: declared to say the same as the wording that there is now")


@app.command("ask-again")
def ask_again(
    context: typer.Context,
    text: _Hash,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and ask nobody.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask them without being asked.")] = False,
    per_hour: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many mails become due in an hour.")
    ] = 10_000,
    as_json: _Json = False,
) -> None:
    """Ask those anew whose consent to a wording stands and covers no mail any more.

    By a mail, once, free of advertising: its link leads to the wording that there
    is now. Whoever agrees is mailed under it, whoever says no under neither, and who does
    not answer is not mailed. Doing it again goes on with those who were not asked.
    """
    config = configuration(context)
    looked = run(_ask(config, text, per_hour, dry=True))
    say(f"{_people(looked.asked)} can be asked, {sum(looked.unasked.values())} cannot")
    for why, number in looked.unasked.items():
        say(f"  {why}: {number}")
    if dry_run or not looked.asked:
        _tell_asked(looked, as_json=as_json)
        return
    if not yes and not agrees(f"Send {counted(looked.asked, 'mail')}?"):
        raise fail("nothing was done")
    asked = run(_ask(config, text, per_hour, dry=False))
    say(f"asked: {_people(asked.asked)}")
    _tell_asked(asked, as_json=as_json)
    if asked.left:
        raise fail(f"not decided: {asked.left}; see gateway audit verify, then do this again")


@app.command()
def declared(context: typer.Context, as_json: _Json = False) -> None:
    """List what was declared the same, wordings and names of who mails, as the log has it."""
    found = run(_declared(configuration(context)))
    rows = [{"at": one.at.isoformat(), "about": one.about, **one.said} for one in found]
    if as_json:
        result_json(rows)
        return
    cells = [(row["at"], row["about"], row.get("was") or row.get("reason", "?")) for row in rows]
    table([("AT", "ABOUT", "WAS, OR WHY"), *cells])


def _people(number: int) -> str:
    return counted(number, "person", "people")


def _tell_asked(told: Told, *, as_json: bool) -> None:
    if as_json:
        result_json({"asked": told.asked, "not_asked": told.unasked, "left": told.left})


def _row(one: Listed) -> dict[str, Any]:
    text, resting = one.text, one.resting
    return {
        "hash": text.hash,
        "purpose": text.purpose,
        "locale": text.locale,
        "current": text.current,
        "published_at": text.published_at.isoformat(),
        "retired_at": text.retired_at and text.retired_at.isoformat(),
        "consents": resting.standing,
        "pending": resting.waiting,
        "since": resting.since and resting.since.isoformat(),
        "until": resting.until and resting.until.isoformat(),
        "lacks": list(one.lacks),
    }


def _cells(one: Listed) -> tuple[str, ...]:
    text, resting = one.text, one.resting
    state = "retired" if text.retired_at else "current" if text.current else "valid"
    since = "-" if resting.since is None else f"{resting.since:%Y-%m-%d}"
    lacks = " ".join(one.lacks) or "-"
    published = text.published_at.isoformat()
    named = (text.purpose, text.locale, state, published)
    return (*named, str(resting.standing), since, lacks, text.hash)


async def _listed(config: Config) -> tuple[list[Listed], list[str], int]:
    """Every wording, the names of such as were altered, and how many are not published yet."""
    from consent import texts
    from gateway.cli.stores import open_stores
    from gateway.flows.joining import publish_texts
    from gateway.watch import wordings

    configured = {texts.text_hash(one) for one in publish_texts.bundles(config)[0]}
    async with open_stores(config) as stores, stores.data.read() as connection:
        found = await wordings.listed(connection, config, stores.log.macs)
        ahead = configured - {one.text.hash for one in found if one.text.current}
        return found, await texts.altered(connection), len(ahead)


def _require_retired(outcome: Retirement, text: str) -> None:
    from consent.texts import Retirement

    if outcome is Retirement.NOT_FOUND:
        raise fail(f"there is no text {text}; `gateway texts list` has those")
    if outcome is Retirement.STILL_CURRENT:
        raise fail("the configuration still has this text; change it there first")


def _ask_whether_to_end(config: Config, text: str, *, sure: bool) -> None:
    """Say how many it would be; returns only where they are to end."""
    outlook, resting = run(_resting(config, text))
    _require_retired(outlook, text)
    say(f"would end, of what rests on {text}: {_counted(resting)}")
    if not sure and not agrees("End them?"):
        raise fail("nothing was done")


async def _resting(config: Config, text: str) -> tuple[Retirement, Resting]:
    from consent import resting, texts
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.read() as connection:
        found = await resting.count(connection, [text])
        return await texts.outlook(connection, text), found[text]


async def _retire(config: Config, text: str) -> Retirement:
    from audit.kinds import Kind
    from consent import texts
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        known = (await texts.get(connection, [text])).get(text)
        outcome = await texts.retire(connection, text, now)
        again = known is not None and known.retired_at is not None
        if outcome is texts.Retirement.RETIRED and not again:
            await stores.record(connection, Kind.TEXT_RETIRED, now, {"text": text})
    return outcome


def _counted(resting: Resting) -> str:
    consents = counted(resting.standing, "consent")
    return f"{consents}, and {counted(resting.waiting, 'request')} without an answer"


async def _end_consents(config: Config, text: str) -> tuple[Resting, Resting]:
    """How many ended, and how many rest on it still."""
    from consent import resting
    from consent.resting import Resting
    from gateway.cli.stores import open_own_parts
    from gateway.flows.keeping.end_consents import Ending

    async with open_own_parts(config) as parts:
        ending = Ending(parts, text)
        with progress("ending consents", None) as move:
            while await ending.some() is not None:
                move(ending.consents + ending.requests)
        async with parts.data.read() as connection:
            left = (await resting.count(connection, [text]))[text]
    return Resting(ending.consents, ending.requests), left


async def _declare(config: Config, text: str, reason: str) -> Outcome:
    from gateway.cli.stores import open_stores
    from gateway.flows.joining.declare import Declaration, declare_same

    async with open_stores(config) as stores, stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        said = Declaration(text, reason)
        return await declare_same(connection, stores.log, config, said, now)


async def _declared(config: Config) -> list[Declared]:
    from gateway.cli.stores import open_stores
    from gateway.flows.proving.declarations import listed

    async with open_stores(config) as stores, stores.data.read() as connection:
        return await listed(connection, stores.log)


async def _ask(config: Config, text: str, per_hour: int, *, dry: bool) -> Told:
    """Go through all whose consents rest on *text*; with *dry* nobody is asked."""
    from consent import resting
    from gateway.cli.stores import open_own_parts
    from gateway.flows.joining.ask_anew import AskingAnew, Question, Told, question

    async with open_own_parts(config) as parts:
        async with parts.data.read() as connection:
            wordings = parts.consents.wordings
            put = await question(connection, wordings.mailing, parts.log.macs, text)
            standing = (await resting.count(connection, [text]))[text].standing
        if not isinstance(put, Question):
            raise fail(_UNASKABLE[put].format(text=text))
        asking = AskingAnew(parts, put, timedelta(hours=1) / per_hour, dry)
        with progress("counting people" if dry else "asking people", standing) as move:
            while await asking.some():
                move(asking.seen)
    return Told.of(asking)
