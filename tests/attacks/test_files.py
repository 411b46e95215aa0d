"""Whatever the umask: no other user of the machine reads a file of ours."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from gateway.config import config
from tests.support.gateways import Gateway
from tests.support.ports import free_port
from tests.support.waiting import until

DEVICE = Path("/dev/null")
_PORT = re.compile(r"127\.0\.0\.1:(8080|9180|8025|2525)")


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """The umask of an operator who keeps nothing from anybody; children inherit it."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """The embedded default, with its local inbox, on ports of its own."""
    ports = {one: str(free_port()) for one in ("8080", "9180", "8025", "2525")}
    raw = _PORT.sub(lambda found: f"127.0.0.1:{ports[found[1]]}", config.embedded_default())
    file = tmp_path / "config.toml"
    file.write_text(raw)
    base = f"http://127.0.0.1:{ports['8080']}"
    made = Gateway(tmp_path, file, base, tmp_path / "unused", int(ports["2525"]))
    async with aiohttp.ClientSession() as made.http:
        yield made
        for process in made.processes.values():
            process.kill()
            process.wait(60)


async def sign_up(gateway: Gateway) -> None:
    """Ada signs up, and her mail is in the inbox."""
    url = f"{gateway.base}/forms/newsletter"
    async with gateway.http.get(f"{url}.json") as answer:
        (asked,) = (await answer.json())["purposes"]
    body = {
        "email": "ada@example.org",
        "purposes": ["newsletter"],
        "texts": [asked["text"]["hash"]],
    }
    async with gateway.http.post(url, json=body) as answer:
        assert answer.status == 202
    await until(lambda: bool(list(inbox(gateway).glob("*.eml"))))


def inbox(gateway: Gateway) -> Path:
    return gateway.directory / "var" / "inbox"


def open_to_others(folder: Path) -> set[str]:
    paths = [folder, *folder.rglob("*")]
    return {str(one.relative_to(folder.parent)) for one in paths if one.stat().st_mode & 0o077}


def endings(folder: Path) -> set[str]:
    return {one.suffix for one in folder.rglob("*") if one.is_file()}


async def test_nothing_that_a_gateway_makes_is_open_to_others(gateway: Gateway) -> None:
    made = gateway.directory / "var"
    gateway.command("init")
    assert open_to_others(made) == set()

    await gateway.start("serve", "serve")
    await sign_up(gateway)
    there = made / "there.jsonl"
    there.touch(0o666)
    for output in (made / "log.jsonl", there, "/dev/null"):
        gateway.command("audit", "export", "-o", str(output))
    while_it_runs, kinds = open_to_others(made), endings(made)
    gateway.kill("serve", signal.SIGTERM)

    assert {".db", ".db-wal", ".db-shm", ".journal", ".json", ".pem", ".eml", ".jsonl"} <= kinds
    assert (while_it_runs, open_to_others(made)) == (set(), set())
    assert open_to_others(DEVICE) == {"null"}


async def test_files_that_an_older_release_left_open_are_taken_from_others(
    gateway: Gateway,
) -> None:
    gateway.command("init")
    await gateway.start("serve", "serve")
    await sign_up(gateway)
    gateway.kill("serve")  # so that -wal and -shm are still there
    databases = (gateway.directory / "var").glob("*.db*")
    files = [one for one in databases if one.suffix != ".process"]  # which is empty
    files += inbox(gateway).glob("*.eml")
    for one in files:
        one.chmod(0o644)
    looked = gateway.try_command("doctor")

    await gateway.start("serve", "serve")

    assert {one.stat().st_mode & 0o777 for one in files if one.exists()} == {0o600}
    assert all(f"chmod go-rwx {one}" in looked.stdout for one in files)
    assert "chmod" not in gateway.try_command("doctor").stdout


def test_the_demo_keeps_its_folder_to_itself(tmp_path: Path) -> None:
    from gateway.demo import demo

    file = demo.prepare(tmp_path / "var" / "demo")

    assert open_to_others(tmp_path / "var") == set()
    with closing(file.open()) as written:
        # But for what it adds in French.
        kept = re.sub(r'(, |\n)fr = "[^"]*"(?=\n| )', "", written.read())
        assert kept == config.embedded_default()
