"""Starting: what is in the way is said in a line, and a store that is not up yet is waited for."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.gateways import Gateway, open_gateway
from tests.support.ports import free_port
from tests.support.waiting import until

ADA = "ada@example.org"
CANNOT_BE_OPENED = "its file cannot be opened: see who owns it, its folder too"


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


def _file(gateway: Gateway, key: str) -> Path:
    found = re.search(rf'^{key} = "sqlite:///(.+)"$', gateway.config.read_text(), re.MULTILINE)
    assert found is not None
    return Path(found[1])


def _move_away(file: Path) -> Callable[[], None]:
    """Put a directory where *file* was; returns what puts it back."""
    kept = file.with_suffix(".kept")
    file.rename(kept)
    file.mkdir()

    def put_back() -> None:
        file.rmdir()
        kept.rename(file)

    return put_back


async def test_a_taken_port_is_one_line_and_exit_1(gateway: Gateway) -> None:
    place = urlsplit(gateway.base)
    with socket.create_server((place.hostname, place.port)):
        refused = await asyncio.to_thread(gateway.try_command, "serve")

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("gateway: cannot listen on 127.0.0.1:")
    assert "Traceback" not in refused.stderr
    await gateway.start("serve", "serve")
    assert '"library"' not in gateway.log("serve")
    assert await gateway.sign_up(ADA) == 202


async def test_a_part_that_fails_ends_the_process_with_a_line_and_exit_1(
    gateway: Gateway,
) -> None:
    await gateway.start("serve", "serve")
    with closing(sqlite3.connect(_file(gateway, "url"), timeout=60)) as data, data:
        data.execute("ALTER TABLE outbox RENAME TO elsewhere")  # the worker cannot know what to do

    status = await asyncio.to_thread(gateway.processes["serve"].wait, 30)

    lines = gateway.log("serve").splitlines()
    assert status == 1
    assert any('"process_failed"' in line for line in lines)
    assert lines[-1].startswith("gateway: OperationalError at delivery/due.py")


async def test_a_journal_that_cannot_be_made_is_one_line_and_exit_1(gateway: Gateway) -> None:
    (gateway.directory / "journal").write_text("in the way")

    tried = await asyncio.to_thread(gateway.try_command, "serve")

    assert tried.returncode == 1
    assert tried.stderr.splitlines()[-1] == ("gateway: the journal cannot be started: File exists")


@pytest.mark.parametrize("store", ["url", "keystore_url"])
async def test_a_store_that_is_not_up_yet_is_waited_for(gateway: Gateway, store: str) -> None:
    put_back = _move_away(_file(gateway, store))
    await gateway.start("serve", "serve", ready=False)
    await until(lambda: gateway.log("serve").count("store_awaited") >= 2)
    with pytest.raises(aiohttp.ClientConnectorError):
        await gateway.sign_up(ADA)

    put_back()

    await gateway.await_ready("serve")
    await gateway.subscribe(ADA)
    lines = [json.loads(line) for line in gateway.log("serve").splitlines()]
    told = {(line["error"], line["why"]) for line in lines if line["event"] == "store_awaited"}
    assert told == {("OperationalError", CANNOT_BE_OPENED)}


async def test_a_store_that_is_none_is_named_as_such_in_the_log(gateway: Gateway) -> None:
    """It does not heal by being waited for: somebody has to look at that file."""
    _file(gateway, "url").write_bytes(b"no database, but a letter\n" * 400)
    await gateway.start("serve", "serve", ready=False)

    await until(lambda: '"why": "its file is no database"' in gateway.log("serve"))

    assert await asyncio.to_thread(gateway.kill, "serve", signal.SIGTERM) == 0


async def test_sigterm_ends_the_waiting_for_a_store(gateway: Gateway) -> None:
    _move_away(_file(gateway, "url"))
    await gateway.start("serve", "serve", ready=False)
    await until(lambda: "store_awaited" in gateway.log("serve"))

    assert await asyncio.to_thread(gateway.kill, "serve", signal.SIGTERM) == 0


async def test_a_staged_event_that_nobody_staged_shows_and_stops_nothing_else(
    gateway: Gateway,
) -> None:
    await gateway.start("serve", "serve")
    with closing(sqlite3.connect(_file(gateway, "url"), timeout=60)) as data, data:
        data.execute(
            "INSERT INTO audit_pending (eid, entry, mac) VALUES (?, ?, ?)",
            (b"e" * 16, b"{}", b"m" * 32),
        )

    await _metric(gateway, 'gateway_duty_failing{duty="sequencer"}', 1)
    await gateway.subscribe(ADA)
    assert await _metrics(gateway, 'gateway_duty_failing{duty="intake"}') == 0
    await until(lambda: '"BadPending"' in gateway.log("serve"))

    with closing(sqlite3.connect(_file(gateway, "url"), timeout=60)) as data, data:
        data.execute("DELETE FROM audit_pending WHERE eid = ?", (b"e" * 16,))
    await _metric(gateway, 'gateway_duty_failing{duty="sequencer"}', 0)


async def _metric(gateway: Gateway, name: str, wanted: float) -> None:
    async with asyncio.timeout(60):
        while await _metrics(gateway, name) != wanted:  # noqa: ASYNC110 a scraper polls
            await asyncio.sleep(0.1)


async def _metrics(gateway: Gateway, name: str) -> float | None:
    async with gateway.http.get(f"{gateway.admin}/metrics") as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
    return None if found is None else float(found[1])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            "[processors.relay]",
            "[processors.other]",
            "processors.relay: is missing: whoever relays the mails handles the data; say who",
            id="nobody relays",
        ),
        pytest.param(
            "[controller]",
            '[controller]\nnotice = { en = "own.md" }',
            "controller.notice.en: leads to {url}/my-data/forget, which is no page of this gateway",
            id="a page that does not exist",
        ),
        pytest.param(
            "[controller]",
            '[controller]\nnotice = { en = "own.md" }',
            'controller.notice.en: does not name the contact: "privacy@acme.example"',
            id="nobody to write to",
        ),
    ],
)
async def test_a_notice_that_says_what_is_not_so_is_named_and_nothing_starts(
    gateway: Gateway, old: str, new: str, problem: str
) -> None:
    own = f"Erase yourself at {gateway.base}/my-data/forget. By Acme GmbH."
    (gateway.directory / "own.md").write_text(own, encoding="utf-8")
    raw = gateway.config.read_text()
    gateway.config.write_text(raw.replace(old, new, 1))

    tried = [
        await asyncio.to_thread(gateway.try_command, *command)
        for command in (["serve"], ["worker"], ["doctor"])
    ]

    said = problem.replace("{url}", gateway.base)
    assert [one.returncode for one in tried] == [1, 1, 1]
    assert [said in one.stdout + one.stderr for one in tried] == [True] * 3
    assert "serving" not in tried[0].stderr

    gateway.config.write_text(raw)
    await gateway.start("serve", "serve")
    assert await gateway.sign_up(ADA) == 202


async def test_on_sqlite_a_second_process_is_refused_while_the_first_lives(
    gateway: Gateway, dialect: str
) -> None:
    await gateway.start("serve", "serve")
    place = f"127.0.0.1:{free_port()}"

    if dialect == "postgresql":
        await gateway.start("worker", "worker", "--listen", place)
        return
    refused = await asyncio.to_thread(gateway.try_command, "worker", "--listen", place)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "another gateway process has" in refused.stderr
    gateway.kill("serve")
    await gateway.start("serve", "serve")
    assert await gateway.sign_up(ADA) == 202
