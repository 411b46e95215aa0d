"""`gateway api-key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, result, result_json, run, say, table

if TYPE_CHECKING:
    from gateway.callers.api_keys import Altered, ApiKey
    from gateway.config.config import Config

# What each scope lets a key do; `gateway.callers.api_keys.Scope` has them.
SCOPES = {
    "messages:send": "hand in messages, ask what became of them, cancel them",
    "campaigns:send": "write to everyone whom a purpose permits, pause that, cancel it",
    "audience:read": "count the consents of a purpose",
    "permissions:read": "ask whether somebody may be mailed",
    "consents:withdraw": "tell of a withdrawal or objection that did not come by link",
    "changes:read": "follow who confirmed, left, was restricted or erased",
    "changes:addresses": "see whose address that is, too; each of these stands in the log",
    "signups:create": "sign people up, for back ends that show the form themselves",
    "audit:read": "read events, checkpoints and proofs of the audit log",
    "subjects:read": "look people up, read their dossiers and what they asked for by right",
    "subjects:manage": "erase people, hold erasures, answer what was asked for by right",
    "evidence:open": "open locked evidence, under a case number",
}
_LISTED = "\n\n".join(["Scopes:", *(f"{name}: {does}" for name, does in SCOPES.items())])

_MARGIN = 0.05  # seconds by which the clocks of two machines may part within one
app = typer.Typer(help="Keys of callers of the API.", no_args_is_help=True)


@app.command(epilog=_LISTED)
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What the key is for; no personal data.")],
    scope: Annotated[list[str], typer.Option(help="What it may do: see below; repeatable.")],
    sender: Annotated[list[str] | None, typer.Option(help="Bind it to senders.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="Bind it to purposes.")] = None,
) -> None:
    """Make a key and print it, once and alone, on stdout."""
    config = configuration(context)
    _check(config, scope, sender or [], purpose or [])
    key, token = run(_create(config, name, scope, sender or [], purpose or []))
    say(f"{key.id}: keep the key below; it cannot be shown again.")
    if refused := _refused(key):
        say(f"It is bound, and gets nothing by {', '.join(refused)}: make another key for that.")
    result(token)


@app.command("list")
def list_keys(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """List the keys; the secrets themselves are stored nowhere.

    An altered one was written by no gateway as it stands; it opens nothing.
    """
    keys = [_row(key) for key in run(_listed(configuration(context)))]
    if as_json:
        result_json(keys)
        return
    table([("ID", "NAME", "SCOPES", "BOUND TO", "STATE"), *(_cells(key) for key in keys)])


@app.command()
def revoke(context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End a key: when the command is over, no process takes it any more."""
    if not run(_revoke(configuration(context), key_id)):
        raise fail(f"there is no key {key_id} that could be revoked")
    say(f"{key_id}: revoked")


def _check(config: Config, scopes: list[str], senders: list[str], purposes: list[str]) -> None:
    from gateway.callers.api_keys import Scope

    for kind, given, known in (
        ("scope", scopes, set(Scope)),
        ("sender", senders, config.senders.keys()),
        ("purpose", purposes, config.purposes.keys()),
    ):
        for name in given:
            if name not in known:
                message = f"there is no {kind} {name}; known: {', '.join(sorted(known))}"
                raise typer.BadParameter(message, param_hint=f"--{kind}")


def _refused(key: ApiKey) -> list[str]:
    from gateway.callers.api_keys import UNBOUND

    return sorted(key.scopes & UNBOUND) if key.is_bound else []


async def _create(
    config: Config, name: str, scopes: list[str], senders: list[str], purposes: list[str]
) -> tuple[ApiKey, str]:
    from audit.kinds import Kind
    from gateway.callers import api_keys
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        key, token = await api_keys.create(
            connection,
            stores.rows,
            name=name,
            scopes=map(api_keys.Scope, scopes),
            senders=senders,
            purposes=purposes,
            now=now,
        )
        await stores.record(connection, Kind.API_KEY_CREATED, now, {"api_key": key.id})
    return key, token


async def _revoke(config: Config, key_id: str) -> bool:
    import asyncio

    from audit.kinds import Kind
    from gateway.callers import api_keys
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        done = await api_keys.revoke(connection, stores.rows, key_id, now)
        if done:
            await stores.record(connection, Kind.API_KEY_REVOKED, now, {"api_key": key_id})
    # Who asked before the commit may remember the answer for so long.
    await asyncio.sleep(api_keys.FRESH + _MARGIN if done else 0)
    return done


async def _listed(config: Config) -> list[ApiKey | Altered]:
    from gateway.callers import api_keys
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.read() as connection:
        return await api_keys.listed(connection, stores.rows)


def _row(key: ApiKey | Altered) -> dict[str, Any]:
    from gateway.callers.api_keys import Altered

    if isinstance(key, Altered):
        return {"id": key.id, "altered": True}
    return {
        "id": key.id,
        "altered": False,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "senders": sorted(key.senders),
        "purposes": sorted(key.purposes),
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _cells(key: dict[str, Any]) -> tuple[str, ...]:
    if key["altered"]:
        return key["id"], "-", "-", "-", "altered in the database; revoke it, and make a new one"
    bound = [*key["senders"], *key["purposes"]]
    state = f"revoked {key['revoked_at']}" if key["revoked_at"] else "valid"
    return key["id"], key["name"], " ".join(key["scopes"]), " ".join(bound) or "-", state
