"""An erasure whose process is killed (`kill -9`) before any statement of it ends at a start."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import pytest

from consent import erasures
from consent.erasures import Stage
from gateway.process import duties
from tests.support.apps import App
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.restoring import Site

MANY = 160  # one for each statement, and some to spare


async def lives(app: App) -> dict[str, str]:
    """Who agreed and has a mail waiting: their ids, and their addresses."""
    people = {}
    for number in range(MANY):
        email = f"person{number}@example.org"
        await app.subscribe(email)
        people[str(await app.subject(email))] = email
    key = await app.key()
    for email in people.values():  # once all are here: who subscribes has the worker send
        await queue(app, email, key, text="Hello.")
    return people


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_an_erasure_that_is_killed_before_any_statement_ends_at_the_next_start(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    site.at_present()
    async with site.started() as app:
        people = await lives(app)

    killed = []
    for statement, subject in zip(itertools.count(1), people):
        ended = site.killed_at(statement, "erase", "--subject", subject, "--yes")
        killed.append(subject)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL

    async with site.started() as app:
        for duty in duties.of(app.parts):  # what a process does first
            await duty.run()
        parts = app.parts
        async with parts.data.read() as connection:
            found = await erasures.of_subjects(connection, parts.rows, killed)
        begun = [one for one in killed if one in found]
        assert begun == killed[-len(begun) :], "begun, and then not"
        assert {one.state for one in found.values()} == {Stage.DONE}
        held = await parts.keystore.held(killed)
        assert {one for one, _ in held} == set(killed) - set(begun)
        assert {await app.permission(people[one]) for one in begun} == {"unknown"}
        assert {await app.permission(people[one]) for one in set(killed) - set(begun)} <= {
            "granted"
        }
        mailed = {mail.to for mail in await app.send_due()}
        assert mailed == {email for one, email in people.items() if one not in begun}
        await app.tick()
    assert 20 < len(killed) < MANY
    report, rows = await site.verified()
    assert (report.ok, rows) == (True, []), report
