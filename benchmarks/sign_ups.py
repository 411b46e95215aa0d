"""Sign-ups accepted durably, beside a bare aiohttp handler that only reads the form."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import HERE, durable_postgres, pin

ROUNDS = 5
SECONDS = 4.0
CONNECTIONS = 64
PORT, _BARE_PORT = 18080, 18081
_BARE = """
import asyncio, sys
from aiohttp import web
async def form(request):
    fields = await request.post()
    return web.json_response({"status": "accepted"}, status=202)
app = web.Application()
app.router.add_post("/forms/newsletter", form)
import uvloop
uvloop.install()
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


@dataclass(frozen=True)
class Load:
    """What one round measured."""

    rate: float
    p99: float  # milliseconds


def run() -> None:
    """The server on one core; load and PostgreSQL on the other; bare and ours in turn."""
    pin({1})
    with durable_postgres() as postgres:
        for name, data, keys in (
            ("PostgreSQL", postgres.create_database("data"), postgres.create_database("keys")),
            ("SQLite", None, None),
        ):
            with tempfile.TemporaryDirectory() as folder:
                _compare(name, Path(folder), data, keys)


def _compare(name: str, folder: Path, data: str | None, keys: str | None) -> None:
    config = configure(folder, data, keys)
    with server(_BARE_PORT, "-c", _BARE, str(_BARE_PORT)), running(config):
        bare, ours = [], []
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_load(_BARE_PORT, {"email": "ada@example.org"}, as_form=True)))
            ours.append(asyncio.run(_load(PORT, None, as_form=False)))
    bare_rate = Figure("bare aiohttp form handler", "req/s", [one.rate for one in bare])
    rate = Figure(f"sign-ups accepted durably, {name}", "req/s", [one.rate for one in ours])
    tell(
        bare_rate,
        rate,
        ratio(f"ours / bare, {name} (must {'0.4' if data else '0.2'})", rate, bare_rate),
        Figure(f"p99 at {CONNECTIONS} connections, {name}", "ms", [one.p99 for one in ours]),
    )


def configure(folder: Path, data: str | None, keys: str | None) -> Path:
    """The configuration of a gateway that is initialised: on SQLite, or on these databases."""
    text = (HERE / "config.toml").read_text()
    if data and keys:
        text = text.replace("sqlite:///var/gateway.db", data)
        text = text.replace("sqlite:///var/keystore.db", keys)
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{PORT}")
    text = text.replace('transport = "inbox"', 'transport = "relay"')
    text = text.replace('processor = "relay"', 'processor = "none"')
    text = text.replace("enabled = true", "enabled = false")
    path = folder / "config.toml"
    path.write_text(text)
    command = [sys.executable, "-m", "gateway", "--config", str(path), "init"]
    subprocess.run(command, cwd=HERE, check=True, capture_output=True)
    return path


@contextlib.contextmanager
def running(config: Path) -> Iterator[int]:
    """Our gateway, without its worker; the id of its process."""
    command = ("-m", "gateway", "--config", str(config), "serve", "--no-worker")
    with server(PORT, *command) as process:
        yield process


@contextlib.contextmanager
def server(port: int, *arguments: str) -> Iterator[int]:
    """A server on core 0, once it listens."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=HERE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    try:
        while not _listens(port):
            assert process.poll() is None
            time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def _load(port: int, fields: dict[str, str] | None, *, as_form: bool) -> Load:
    base = f"http://127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        body = fields if as_form else await _body(session, base)
        until = time.perf_counter() + SECONDS
        results = await asyncio.gather(
            *(_post(session, base, body, as_form, until, n) for n in range(CONNECTIONS))
        )
    times = [one for result in results for one in result]
    return Load(len(times) / SECONDS, 1000 * statistics.quantiles(times, n=100)[98])


async def _body(session: aiohttp.ClientSession, base: str) -> dict[str, object]:
    async with session.get(f"{base}/forms/newsletter.json") as answer:
        form = await answer.json()
    return {"purposes": ["newsletter"], "texts": [form["purposes"][0]["text"]["hash"]]}


async def _post(
    session: aiohttp.ClientSession,
    base: str,
    body: dict[str, object] | dict[str, str] | None,
    as_form: bool,
    until: float,
    number: int,
) -> list[float]:
    times: list[float] = []
    count = 0
    while time.perf_counter() < until:
        count += 1
        address = {"email": f"person{number}-{count}@example.org"}
        whole = {**(body or {}), **address}
        sent = {"data": whole} if as_form else {"data": json.dumps(whole)}
        headers = {} if as_form else {"Content-Type": "application/json"}
        begun = time.perf_counter()
        async with session.post(f"{base}/forms/newsletter", headers=headers, **sent) as answer:
            assert answer.status == 202, answer.status
        times.append(time.perf_counter() - begun)
    return times
