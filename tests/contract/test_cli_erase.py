"""`gateway erase`, on both databases, as the operator runs it."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from pathlib import Path

import pytest

from audit.kinds import Actor
from gateway.config import config
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.holds import Holds
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from tests.support.apps import ADA, start_app
from tests.support.commands import Run


@pytest.fixture
def subject(run: Run, folder: Path) -> str:
    """Somebody who agreed; their id."""
    file = folder / "config.toml"
    raw = file.read_text()
    file.write_text(raw.replace('"http://localhost:8080"', '"http://gateway.example"'))
    assert run("init").status == 0
    return asyncio.run(_subscribe(file))


async def _subscribe(file: Path) -> str:
    async with start_app(config.load(file), DatabaseClock()) as app:
        (text,) = await app.texts("newsletter", form="newsletter")
        body = {"email": ADA, "purposes": ["newsletter"], "texts": [text]}
        assert (await app.http.post("/forms/newsletter", json=body)).status == 202
        (mail,) = await app.deliver()
        path = f"/confirm/{mail.token('confirm')}"
        assert (await app.http.post(path, data={"answer": "confirm"})).status == 200
        found = await app.subject()
        assert found is not None
        return found


def test_somebody_is_erased_by_an_address_from_stdin(
    run: Run, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADA}\n"))

    received = "2026-01-31T09:00:00+01:00"
    done = run("erase", "--email-stdin", "--received-at", received, "--yes", "--json")

    assert done.status == 0
    assert done.json["state"] == "done"
    assert done.json["due_at"] == "2026-03-02T23:59:59+00:00"  # a Saturday is put off
    assert done.json["locked_until"] > done.json["asked_at"]
    assert ADA not in done.out + done.err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADA}\n"))
    asked = ("evidence", "open", "--case", "2026-17", "--reason", "a letter")
    opened = run(*asked, "--json")
    assert (opened.status, opened.json["case"]) == (0, "2026-17")
    assert [one["subject_id"] for one in opened.json["found"]] == [subject]
    monkeypatch.setattr("sys.stdin", io.StringIO("grace@example.org\n"))
    assert run(*asked).status == 1
    again = run("erase", "--subject", subject, "--yes")
    assert (again.status, again.out.strip()) == (0, done.json["erasure_id"])
    shown = run("erasures", "show", done.json["erasure_id"])
    certificate = run("erasures", "show", done.json["erasure_id"], "--json").json["certificate"]
    assert shown.out.splitlines()[1:] == certificate["meaning"]
    assert f"event {certificate['event_id']}" in shown.out
    for said in (
        "the address, the answers in forms",
        "No fact of the audit log went yet",
        "copies",
    ):
        assert said in shown.out
    assert run("audit", "verify").status == 0


def test_the_operator_is_told_that_a_hold_stands(run: Run, subject: str, folder: Path) -> None:
    asyncio.run(_hold(folder / "config.toml", subject))

    done = run("erase", "--subject", subject, "--yes")

    assert done.status == 0
    assert done.out.startswith("era_")
    assert "a hold stands: they are restricted now, and erased once it ends" in done.err


async def _hold(file: Path, subject: str) -> None:
    async with open_parts(config.load(file)) as parts:
        until = parts.clock.wall() + timedelta(days=1)
        placed = await Holds(Erasing(parts)).place(subject, "a dispute", until, Actor.OPERATOR)
        assert placed is not None


def test_of_two_addresses_from_stdin_nobody_is_erased(
    run: Run, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADA}\nbob@example.org\n"))

    done = run("erase", "--email-stdin", "--yes")

    assert (done.status, done.out) == (1, "")
    assert "stdin has 2 lines, and one is asked for" in done.err
    assert ADA not in done.err
    held = run("erase", "--subject", subject, "--yes")
    assert held.status == 0


def test_an_erasure_that_there_is_not_is_named(run: Run) -> None:
    assert run("init").status == 0

    shown = run("erasures", "show", "era_1")

    assert (shown.status, shown.err) == (1, "there is no erasure era_1\n")


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        (["--yes"], 2, "say whom"),
        (["--subject", "sub_1", "--email-stdin", "--yes"], 2, "say whom"),
        (["--subject", "sub_1"], 1, "cannot be undone"),
        (["--subject", "sub_1", "--yes"], 1, "nobody is known"),
        (["--subject", "sub_1", "--yes", "--received-at", "2026-01-31"], 2, "with its offset"),
        (["--subject", "sub_1", "--yes", "--received-at", "0026-11-20T09:00:00Z"], 2, "since 1970"),
        (["--email-stdin", "--yes"], 1, "the line is not of the form"),
        (["--subject", "sub_1", "--yes", "--channel", "Ada called"], 2, "no name"),
        (["--subject", "sub_1", "--yes", "--channel", "my-data"], 2, "how it reached you"),
    ],
    ids=[
        *("nobody", "both", "not sure", "unknown", "no time", "long ago", "no address"),
        *("words for a way", "a way of ours"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_done(
    run: Run, monkeypatch: pytest.MonkeyPatch, said: list[str], status: int, why: str
) -> None:
    assert run("init").status == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("no address\n"))

    done = run("erase", *said)

    assert (done.status, done.out) == (status, "")
    assert why in done.err
