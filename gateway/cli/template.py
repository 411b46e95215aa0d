"""`gateway template`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.campaign import try_out
from gateway.cli.output import opened, require_ending
from gateway.cli.talk import (
    configuration,
    fail,
    named,
    read_json,
    result,
    result_json,
    run,
    say,
    table,
)
from gateway.cli.typed import address_of_stdin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from delivery.own_templates import Shelf, Standing
    from delivery.templates import Templates
    from gateway.config.config import Config
    from gateway.flows.sending.content_check import Said

app = typer.Typer(
    help="Mails of your own, in [templates] directory; docs/templates.md has a first one.",
    no_args_is_help=True,
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of its folder.")]
_Purpose = Annotated[
    str | None, typer.Option(help="Whose sender writes; needed where there are several.")
]
_Data = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help='JSON, as "data" of the API; default: the names of it.'),
]
_Json = Annotated[bool, typer.Option("--json", help="For a machine.")]


_LOOK_EVERY, _LOOKS = 0.25, 20  # seconds, and how often: what was saved just now is waited for


@app.callback()
def group() -> None:
    """Mails of your own, in [templates] directory; docs/templates.md has a first one."""


@app.command("list")
def list_(context: typer.Context, as_json: _Json = False) -> None:
    """Every template that lies there, its version, and what is wrong with it."""
    found = _standings(_shelf(configuration(context)))
    if as_json:
        result_json([_row(one) for one in found])
        return
    if found:
        cells = [(one.name, _version(one), _state(one)) for one in found]
        table([("NAME", "VERSION", "STATE"), *cells])


@app.command()
def check(
    context: typer.Context,
    name: _Name,
    data: _Data = None,
    purpose: _Purpose = None,
    as_json: _Json = False,
) -> None:
    """Say what is wrong with one, by file and line; exits 1 where it cannot be sent.

    It is rendered in every language of the purpose. What its recipients would suffer from
    is told too, and keeps nothing back.
    """
    config = configuration(context)
    shelf = _shelf(config)
    standing = _standing(shelf, name)
    if standing.flaws:
        if as_json:
            result_json(_row(standing))
        for flaw in standing.flaws:
            say(f"{shelf.directory / name / flaw.file}{_line(flaw.line)}: {flaw.problem}")
        raise typer.Exit(1)
    said = _said(config, name, purpose, data)
    warnings = [{"code": one.what, "detail": one.detail} for one in said.blemishes]
    if as_json:
        result_json(_row(standing) | {"asks_for": _asked(config, name), "warnings": warnings})
        return
    result(f"{name} {standing.current} can be sent")
    for asked in _asked(config, name):
        result(f"asks for {asked}")
    for one in said.blemishes:
        result(f"mind that {one.detail}")


@app.command()
def preview(
    context: typer.Context,
    name: _Name,
    data: _Data = None,
    purpose: _Purpose = None,
    locale: Annotated[str | None, typer.Option(help="Of its recipient.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Default: NAME.html, here.")
    ] = None,
) -> None:
    """Write a page with its text and its HTML, light and dark, wide and on a phone.

    Open it in a browser: it loads nothing from elsewhere. Its name is alone on stdout.
    """
    from gateway.flows.sending.composing import frame
    from gateway.look import preview as page_of
    from gateway.process.lifespan import mail_templates

    if output is not None:
        require_ending(output, "html")
    config = configuration(context)
    chosen, said = _purpose_of(config, purpose), _said(config, name, purpose, data)
    wanted = locale or next(iter(config.purposes[chosen].text))
    framed = frame(config, config.purposes[chosen].sender, wanted)
    framed["consents"] = [{"title": next(iter(config.purposes[chosen].title.values()))}]
    content = said.content
    made = mail_templates(config).check(
        name, wanted, content["data"], framed, footer=True, version=content.get("version")
    )
    path = output or Path(f"{name}.html")
    with opened(path) as file:
        file.write(page_of.render(name, made.content).encode())
    if str(path) != "-":
        result(str(path))


@app.command("send-test")
def send_test(
    context: typer.Context, name: _Name, data: _Data = None, purpose: _Purpose = None
) -> None:
    """Send it to an operator's mailbox, as everybody would get it; the address is read from stdin.

    There is no other way out than for every mail: the mailbox must have agreed to the purpose,
    too, and the gateway's own processes send it. Waits for them up to a minute, and prints what
    became of it; the id of the message is alone on stdout.
    """
    config = configuration(context)
    chosen, said = _purpose_of(config, purpose), _said(config, name, purpose, data)
    email = address_of_stdin()
    if not run(_is_operators(config, email.mailbox)):
        raise fail("that is no operator's mailbox: `gateway operator create` enters one")
    content = {key: said.content[key] for key in ("template", "data")}
    result(run(try_out(config, {"purpose": chosen, "content": content}, email)))


async def _is_operators(config: Config, mailbox: str) -> bool:
    from consent import address
    from gateway.flows.desk.mailboxes import is_operators
    from gateway.process.lifespan import open_parts

    async with open_parts(config) as parts:
        of = (parts.data, parts.keystore, parts.log, parts.rows)
        return await is_operators(*of, address.parse(mailbox))


def _shelf(config: Config) -> Shelf:
    shelf = _templates(config).own
    if shelf is None:
        raise fail("there is no directory of templates: name one by [templates] directory")
    return shelf


def _templates(config: Config) -> Templates:
    from gateway.process.lifespan import mail_templates

    return mail_templates(config)


def _standings(shelf: Shelf) -> list[Standing]:
    with named(shelf.directory, "read", "make it, or name another by [templates] directory"):
        return shelf.standings()


def _standing(shelf: Shelf, name: str) -> Standing:
    with named(shelf.directory, "read", "make it, or name another by [templates] directory"):
        found = shelf.standing(name)
        for _ in range(_LOOKS):
            if found is None or found.settled:
                break
            time.sleep(_LOOK_EVERY)
            found = shelf.standing(name)
    if found is None:
        raise fail(f"there is no {shelf.directory / name}; `gateway template list` has those")
    return found


def _purpose_of(config: Config, purpose: str | None) -> str:
    if purpose is None and len(config.purposes) == 1:
        return next(iter(config.purposes))
    if purpose not in config.purposes:
        raise fail(f"name one by --purpose: {', '.join(config.purposes)}")
    return purpose


def _said(config: Config, name: str, purpose: str | None, data: Path | None) -> Said:
    """What the API would be handed, checked as it checks it."""
    from pydantic import ValidationError

    from gateway.api.contents import Content, said_by
    from gateway.errors import Invalid

    chosen = _purpose_of(config, purpose)
    _standing(_shelf(config), name)  # which waits for what was saved just now
    given = _invented(config, name) if data is None else read_json(data)
    try:
        content: Content = Content.model_validate({"template": name, "data": given})
        return said_by(config, _templates(config), chosen, content)
    except ValidationError as error:
        wrong = "; ".join(str(one["msg"]) for one in error.errors(include_input=False))
    except Invalid as error:
        wrong = "; ".join(f"{one.pointer} {one.detail}" for one in error.errors)
    raise fail(f"{name} cannot be sent so: {wrong}")


def _invented(config: Config, name: str) -> Mapping[str, Any]:
    from delivery import template_language
    from delivery.errors import TemplateError

    templates = _templates(config)
    try:
        version = templates.current(name)
    except TemplateError:
        return {}  # told by whoever checks it
    return {} if version is None else template_language.sample(templates.source(version))


def _asked(config: Config, name: str) -> list[str]:
    from delivery import template_language

    templates = _templates(config)
    version = templates.current(name)
    if version is None:
        return []
    return sorted(template_language.paths(templates.reads(name, version)))


def _version(one: Standing) -> str:
    return "-" if one.current is None else one.current[:19]


def _state(one: Standing) -> str:
    if one.flaws:
        return f"{one.flaws[0]}; who saw a sound version sends that on"
    return "can be sent" if one.settled else "is being written"


def _line(line: int | None) -> str:
    return "" if line is None else f":{line}"


def _row(one: Standing) -> dict[str, Any]:
    flaws = [{"file": f.file, "line": f.line, "problem": f.problem} for f in one.flaws]
    return {"name": one.name, "version": one.current, "settled": one.settled, "flaws": flaws}
