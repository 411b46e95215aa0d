"""`gateway campaign`, on both databases, as the operator runs it."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config import config
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from tests.contract.test_campaigns import broken_off
from tests.contract.test_cli_erase import subject
from tests.support.apps import ADA, start_app
from tests.support.campaigns import expand
from tests.support.commands import Run

__all__ = ["subject"]  # a fixture


@pytest.mark.usefixtures("subject")
def test_an_operator_is_told_whom_it_reaches_makes_it_and_steers_it(run: Run, folder: Path) -> None:
    said = folder / "june.json"
    said.write_text(json.dumps({"subject": "June", "text": "Hello."}))
    order = ("campaign", "create", "--purpose", "newsletter", "--content", str(said))

    asked = run(*order, stdin="")
    made = run(*order, "--per-hour", "600", stdin="y")
    name = made.out.removesuffix("\n")  # as a shell has it of `$(gateway campaign create …)`
    asyncio.run(_expand(folder / "config.toml"))
    paused = run("campaign", "pause", name)
    shown = run("campaign", "show", name, "--json").json
    listed = run("campaign", "list").out
    cancelled = run("campaign", "cancel", name)
    again = run("campaign", "resume", name)

    assert (asked.status, asked.out) == (1, "")
    assert asked.err.endswith("Make it? [y/N]: nothing was made\n")
    assert made.status == 0, made.err
    assert made.err.startswith("1 person would be mailed at once, at most 600 an hour, as acme.")
    assert paused.err == f"{name} is paused\n"
    assert (shown["status"], shown["counts"]) == ("paused", {"paused": 1})
    assert listed.startswith(f"{name}  newsletter  paused")
    assert cancelled.status == 0
    assert (again.status, "cannot be done" in again.err) == (1, True)


def test_nobody_is_asked_about_a_campaign_to_nobody(run: Run, folder: Path) -> None:
    assert run("init").status == 0
    said = folder / "june.json"
    said.write_text(json.dumps({"subject": "June", "text": "Hello."}))
    order = ("campaign", "create", "--purpose", "newsletter", "--content", str(said))

    now = run(*order, stdin="y")
    later = run(*order, "--at", f"{DatabaseClock().wall() + timedelta(days=1):%FT%TZ}", stdin="y")
    sure = run(*order, "--yes")

    assert (now.status, now.out) == (1, "")
    assert "nothing was made: nobody would get it" in now.err
    assert "Make it?" not in now.err
    assert "Make it?" in later.err
    assert [later.out[:4], sure.out[:4]] == ["cmp_", "cmp_"]


@pytest.mark.usefixtures("subject")
def test_what_cannot_be_sent_is_said_before_anybody_is_asked(run: Run, folder: Path) -> None:
    said = folder / "june.json"
    said.write_text(json.dumps({"template": "confirmation", "data": {}}))
    order = ("campaign", "create", "--content", str(said), "--yes")

    reserved = run(*order, "--purpose", "newsletter")
    nowhere = run(*order, "--purpose", "nothing")
    unknown = run("campaign", "show", "cmp_00000000000000000000000000")
    said.write_text(json.dumps({"subject": "June", "htm": "<p>Hello.</p>"}))
    misspelt = run(*order, "--purpose", "newsletter")

    assert (reserved.status, reserved.out) == (1, "")
    assert "/content/template is for the gateway's own mails" in reserved.err
    assert "/purpose is not in the configuration" in nowhere.err
    assert "/content/htm is not a field of this request" in misspelt.err
    assert (unknown.status, "no such campaign" in unknown.err) == (1, True)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (ADA, "is queued; `gateway status` says"),
        ("grace@example.org", "it may not be sent there: unknown"),
        ("nobody", "stdin has no address"),
    ],
    ids=["agreed", "never asked", "no address"],
)
@pytest.mark.usefixtures("subject")
def test_one_who_agreed_gets_it_first_and_nobody_else_does(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, address: str, told: str
) -> None:
    said = folder / "june.json"
    said.write_text(json.dumps({"subject": "June", "text": "Hello."}))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{address}\n"))
    monkeypatch.setattr("gateway.cli.campaign._LOOKS", 1)  # no process runs that would send it

    tried = run("campaign", "test", "--purpose", "newsletter", "--content", str(said))

    assert (tried.status, tried.out) == (1, "")
    assert told in tried.err
    assert address not in tried.err
    assert asyncio.run(_mails(folder / "config.toml")) == [ADA] * (address == ADA)
    assert run("audit", "verify").status == 0


@pytest.mark.usefixtures("subject")
def test_what_may_have_arrived_is_sent_again_when_an_operator_says_so(
    run: Run, folder: Path
) -> None:
    said = folder / "june.json"
    said.write_text(json.dumps({"subject": "June", "text": "Hello."}))
    order = ("campaign", "create", "--purpose", "newsletter", "--content", str(said))
    name = run(*order, "--yes").out.strip()
    asyncio.run(_break_off(folder / "config.toml"))

    resent = run("campaign", "resend", name, "--yes")
    none = run("campaign", "resend", name, "--yes")
    unknown = run("campaign", "resend", "cmp_00000000000000000000000000", "--yes")

    assert (resent.status, resent.out) == (0, "")
    assert resent.err.splitlines() == [
        "1 may have arrived, and may not; those that did arrive twice then.",
        f"1 message of {name} is sent again",
    ]
    assert none.err == f"0 messages of {name} are sent again\n"
    assert (unknown.status, "no such campaign" in unknown.err) == (1, True)


async def _mails(file: Path) -> list[str]:
    async with start_app(config.load(file), DatabaseClock()) as app:
        return [one.to for one in await app.send_due()]


async def _break_off(file: Path) -> None:
    async with start_app(config.load(file), DatabaseClock()) as app:
        await expand(app.parts)
        await broken_off(app, 1)


async def _expand(file: Path) -> None:
    async with open_parts(config.load(file), DatabaseClock()) as parts:
        await expand(parts)
