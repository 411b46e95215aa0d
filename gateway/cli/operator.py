"""`gateway operator`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exporting import checked
from gateway.cli.talk import (
    configuration,
    fail,
    result,
    result_json,
    run,
    say,
    table,
)
from gateway.cli.typed import address_of_stdin
from storage import patterns

if TYPE_CHECKING:
    from consent.address import Address
    from gateway.callers.operators import Identity
    from gateway.config.config import Config
    from gateway.flows.desk.staff import Entered, Listed, Staff, Taken

# What each role may do; `gateway.callers.operators.Role` has them.
ROLES = {
    "dpo": "looks people up, and acts for them",
    "auditor": "looks people up, and changes nothing",
    "admin": "opens no personal data",
}
_LISTED = "\n\n".join(["Roles:", *(f"{name}: {does}" for name, does in ROLES.items())])

app = typer.Typer(help="Who may open the desk, at /dpo/.", no_args_is_help=True)


@app.command(epilog=_LISTED)
def create(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="What they may do: see below.")],
    name: Annotated[
        str | None,
        typer.Option(help="The function that people are told of: no person's. Default: dpo-1, …"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Enter somebody, their address from stdin, and print a link that lets them in.

    The link stands alone on stdout; it works once, within 24 hours, and is for them alone:
    hand it over. From then on they ask at /dpo/ for links to their mailbox. Nothing has to
    be restarted. Who looks at anybody is told of in the log by a random id, and to that
    person by the name.
    """
    from gateway.flows.desk.sign_in import url_of
    from gateway.flows.desk.staff import Taken

    if role not in ROLES:
        said = f"there is no role {role}; known: {', '.join(ROLES)}"
        raise typer.BadParameter(said, param_hint="--role")
    if name is not None and re.fullmatch(patterns.NAME, name) is None:
        said = f"{patterns.in_words(patterns.NAME)}; such as privacy-1"
        raise typer.BadParameter(said, param_hint="--name")
    config, email = configuration(context), address_of_stdin()
    done = run(_create(config, email, role, name))
    if isinstance(done, Taken):
        raise fail(_why_not(done))
    url = url_of(config, done.token)
    if as_json:
        result_json({"id": done.id, "name": done.name, "role": role, "link": url})
        return
    say(f"{done.id} ({done.name}): the link below works once, within 24 hours.")
    result(url)


@app.command("list")
def list_operators(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """List the operators by id, name and role; addresses are shown to nobody.

    An altered one was written by no gateway as it stands; it opens nothing. Who came by the
    identity provider is bound to the account there: for another one, revoke and enter anew.
    """
    rows = [_row(one) for one in run(_listed(configuration(context)))]
    if as_json:
        result_json(rows)
        return
    table([("ID", "NAME", "ROLE", "STATE"), *(_cells(one) for one in rows)])


@app.command()
def show(
    context: typer.Context,
    operator_id: Annotated[str, typer.Argument(metavar="ID")],
    case: Annotated[
        str, typer.Option(help="File number; it stands in the log for ever, and names nobody.")
    ],
) -> None:
    """Say who an operator is, also after they were revoked: name and address.

    For whoever has to answer who looked: the log has their ids. It tells of this, too.
    """
    from gateway.http.fields import CaseNumber

    checked(CaseNumber, case, "--case: letters, digits and . _ / : + = - with a digit")
    said = run(_show(configuration(context), operator_id, case))
    if said is None:
        raise fail(f"nobody can say who {operator_id} is: there is none, or it is too long ago")
    result(f"{said.name} {said.email.mailbox}")


@app.command()
def revoke(
    context: typer.Context, operator_id: Annotated[str, typer.Argument(metavar="ID")]
) -> None:
    """End all links and sessions of an operator at once; they get none any more."""
    if not run(_revoke(configuration(context), operator_id)):
        raise fail(f"there is no operator {operator_id} who could be revoked")
    say(f"{operator_id}: revoked")


def _why_not(taken: Taken) -> str:
    if taken.what == "name":
        return f"{taken.operator} has that name: take another, or nobody could tell who looked"
    return f"{taken.operator} has that mailbox: they ask for links at /dpo/, or revoke them first"


@asynccontextmanager
async def _staff(config: Config) -> AsyncIterator[Staff]:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.desk.staff import Staff

    async with open_own_parts(config) as parts:
        yield Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)


async def _create(config: Config, email: Address, role: str, name: str | None) -> Entered | Taken:
    from gateway.callers.operators import Role

    async with _staff(config) as staff:
        return await staff.enter(email, Role(role), name)


async def _listed(config: Config) -> list[Listed]:
    async with _staff(config) as staff:
        return await staff.listed()


async def _show(config: Config, operator_id: str, case: str) -> Identity | None:
    async with _staff(config) as staff:
        return await staff.show(operator_id, case)


async def _revoke(config: Config, operator_id: str) -> bool:
    async with _staff(config) as staff:
        return await staff.revoke(operator_id)


def _row(one: Listed) -> dict[str, Any]:
    from gateway.callers.operators import Altered

    if isinstance(one.row, Altered):
        return {"id": one.row.id, "altered": True, "revoked": one.revoked}
    return {
        "id": one.row.id,
        "altered": False,
        "name": one.name,
        "role": one.row.role,
        "created_at": one.row.created_at.isoformat(),
        "revoked_at": one.row.revoked_at and one.row.revoked_at.isoformat(),
        "revoked": one.revoked,
        "bound": one.bound,
    }


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    if one["altered"]:
        said = "altered in the database; revoke it, and enter them anew"
        return one["id"], "-", "-", "revoked" if one["revoked"] else said
    state = "may sign in, also by the provider" if one["bound"] else "may sign in"
    if one["revoked"]:
        state = f"revoked {one['revoked_at'] or ''}".rstrip()
    return one["id"], one["name"] or "-", one["role"], state
