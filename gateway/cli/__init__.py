"""The command `gateway`: one file per group of commands.

Commands import what they run when they run, so that `--help` does not wait for
the server's libraries. Results go to stdout, talk to stderr. Exit 0 is done, 1
failed, 2 usage. No command takes an address as an argument: arguments are seen
by every user of the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from gateway.cli import (
    api_key,
    audit,
    backup,
    breach,
    campaign,
    cases,
    db,
    defending,
    dkim,
    doctor,
    drill,
    erase,
    erasures,
    forms,
    init,
    keys,
    operator,
    restore,
    run,
    status,
    template,
    texts,
)
from gateway.cli.helping import make_readable
from gateway.cli.talk import explain, finished, is_text, result, say, stand_on_three

app = typer.Typer(
    name="gateway",
    help="A consent and email delivery gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables
    rich_markup_mode=None,  # in its boxes words are cut off at 80 columns
    context_settings={"max_content_width": 100},
)
app.command("init")(init.init)
app.command("serve")(run.serve)
app.command("worker")(run.worker)
app.command("demo")(run.demo)
app.command("doctor")(doctor.doctor)
app.command("status")(status.status)
app.command("backup")(backup.backup)
app.command("drill")(drill.drill)
app.command("restore")(restore.restore)
app.command("defend")(defending.defend)
app.command("breach")(breach.breach)
app.command("erase")(erase.erase)
app.add_typer(erasures.app, name="erasures")
app.add_typer(campaign.app, name="campaign")
app.add_typer(cases.app, name="evidence")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.add_typer(api_key.app, name="api-key")
app.add_typer(operator.app, name="operator")
app.add_typer(dkim.app, name="dkim")
app.add_typer(template.app, name="template")
app.add_typer(texts.app, name="texts")
app.add_typer(forms.app, name="forms")
app.add_typer(audit.app, name="audit")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        result(f"gateway {version('consent-gateway')}")
        raise typer.Exit


@app.callback()
def remember_config(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", envvar="GATEWAY_CONFIG", help="The configuration.")
    ] = Path("config.toml"),
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Which one it is."),
    ] = False,
) -> None:
    context.obj = config


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit; an error is a line on stderr, never a traceback."""
    stand_on_three()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not all(map(is_text, given)):
        say("gateway: an argument is no text in UTF-8; write it anew, or rename what it names")
        sys.exit(2)
    try:
        _program()(_config_first(given))
    except SystemExit as ended:
        sys.exit(finished(ended.code))  # type: ignore[arg-type]  # what it was, or 1
    except Exception as error:  # noqa: BLE001 a traceback could quote personal data
        say(explain(error))
        sys.exit(1)


@cache
def _program() -> Any:
    """The commands. Made once a process: a hundred signatures are read for it."""
    program = get_command(app)
    make_readable(program)
    return program


def _config_first(arguments: list[str]) -> list[str]:
    """Let `--config` stand anywhere, before the command or after it."""
    for position, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--config" and position + 1 < len(arguments):
            rest = arguments[:position] + arguments[position + 2 :]
            return [word, arguments[position + 1], *rest]
        if word.startswith("--config="):
            return [word, *arguments[:position], *arguments[position + 1 :]]
    return arguments
