"""`gateway texts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, result_json, run, say, table

if TYPE_CHECKING:
    from consent.texts import Retirement, Text
    from gateway.config.config import Config

app = typer.Typer(help="Consent texts.", no_args_is_help=True)


@app.command("list")
def list_texts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """List every wording that was ever published."""
    found, altered = run(_listed(configuration(context)))
    texts = [_row(text) for text in found]
    for name in altered:
        say(f"{name}: is not what its hash says; see gateway audit verify")
    if as_json:
        result_json(texts)
        return
    heading = ("PURPOSE", "LOCALE", "STATE", "PUBLISHED", "HASH")
    table([heading, *(_cells(text) for text in texts)])


@app.command()
def retire(context: typer.Context, text: Annotated[str, typer.Argument(metavar="HASH")]) -> None:
    """Let nobody agree to a wording any more; consents to it stand."""
    from consent.texts import Retirement

    outcome = run(_retire(configuration(context), text))
    if outcome is Retirement.NOT_FOUND:
        raise fail(f"there is no text {text}")
    if outcome is Retirement.STILL_CURRENT:
        raise fail("the configuration still has this text; change it there first")
    say(f"{text}: retired")


async def _listed(config: Config) -> tuple[list[Text], list[str]]:
    from consent import texts
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.read() as connection:
        return await texts.list_texts(connection), await texts.altered(connection)


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


def _row(text: Text) -> dict[str, Any]:
    return {
        "hash": text.hash,
        "purpose": text.purpose,
        "locale": text.locale,
        "current": text.current,
        "published_at": text.published_at.isoformat(),
        "retired_at": text.retired_at and text.retired_at.isoformat(),
    }


def _cells(text: dict[str, Any]) -> tuple[str, ...]:
    state = "retired" if text["retired_at"] else "current" if text["current"] else "valid"
    return text["purpose"], text["locale"], state, text["published_at"], text["hash"]
