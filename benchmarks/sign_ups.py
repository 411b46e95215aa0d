"""Sign-ups accepted durably, beside a bare aiohttp handler that only reads the form."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import HERE, durable_postgres, pin
from consent import intakes
from gateway.config.config import load
from storage.database import open_database

ROUNDS = 5
SECONDS = 4.0
CONNECTIONS = 64
_TICK = os.sysconf("SC_CLK_TCK")
_LOOKS = 0.1  # seconds between two looks at what waits
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
    median: float  # milliseconds, as is
    p99: float


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
    store = load(config).storage.url
    with server(_BARE_PORT, "-c", _BARE, str(_BARE_PORT)), running(config):
        bare, ours, worked, half = [], [], [], []
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_load(_BARE_PORT, {"email": "ada@example.org"}, as_form=True)))
            begun = time.perf_counter()
            ours.append(asyncio.run(_load(PORT, None, as_form=False)))
            asyncio.run(_rest(store))
            worked.append(ours[-1].rate * SECONDS / (time.perf_counter() - begun))
            half.append(asyncio.run(_load(PORT, None, as_form=False, rate=ours[-1].rate / 2)))
            asyncio.run(_rest(store))
    bare_rate = Figure("bare aiohttp form handler", "req/s", [one.rate for one in bare])
    rate = Figure(f"sign-ups accepted durably, {name}", "req/s", [one.rate for one in ours])
    tell(
        bare_rate,
        rate,
        Figure(f"of them worked off, {name}", "1/s", worked),
        ratio(f"ours / bare, {name} (must {'0.4' if data else '0.2'})", rate, bare_rate),
        Figure(f"p99 at {CONNECTIONS} connections, {name}", "ms", [one.p99 for one in ours]),
        Figure(f"median at half load, {name}", "ms", [one.median for one in half]),
        Figure(f"p99 at half load, {name} (must 5)", "ms", [one.p99 for one in half]),
    )


async def _rest(store: str) -> None:
    """Until all that was taken is worked off: whoever is measured next has the cores alone."""
    async with open_database("data", store) as database:
        while True:
            async with database.read() as connection:
                if not await intakes.kinds(connection):
                    return
            await asyncio.sleep(_LOOKS)


def used(pid: int, *, with_gone: bool = False) -> float:
    """Seconds that a process has used; *with_gone*: and its children that have ended."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after[11 : 15 if with_gone else 13])) / _TICK


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


async def _load(
    port: int, fields: dict[str, str] | None, *, as_form: bool, rate: float | None = None
) -> Load:
    """Callers who post one after another; or so many a second together, whatever they wait."""
    base = f"http://127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    every = None if rate is None else CONNECTIONS / rate
    async with aiohttp.ClientSession(connector=connector) as session:
        body = fields if as_form else await _body(session, base)
        posting = Posting(session, base, body or {}, as_form, time.perf_counter(), every)
        results = await asyncio.gather(*map(posting.post, range(CONNECTIONS)))
    times = [one for result in results for one in result]
    *_, p99 = (1000 * one for one in statistics.quantiles(times, n=100))
    return Load(len(times) / SECONDS, 1000 * statistics.median(times), p99)


async def _body(session: aiohttp.ClientSession, base: str) -> dict[str, object]:
    async with session.get(f"{base}/forms/newsletter.json") as answer:
        form = await answer.json()
    return {"purposes": ["newsletter"], "texts": [form["purposes"][0]["text"]["hash"]]}


@dataclass(frozen=True)
class Posting:
    """What each caller posts, and when: again as soon as it is answered, or *every* so often."""

    session: aiohttp.ClientSession
    base: str
    body: Mapping[str, object]
    as_form: bool
    begun: float
    every: float | None

    async def post(self, number: int) -> list[float]:
        """How long each post took; from when it was due, where there is such a moment."""
        times: list[float] = []
        for count in itertools.count():
            due = time.perf_counter()
            if self.every is not None:
                due = self.begun + (count + number / CONNECTIONS) * self.every
                await asyncio.sleep(due - time.perf_counter())
            if due >= self.begun + SECONDS:
                return times
            await self._post(f"person{number}-{count}@example.org")
            times.append(time.perf_counter() - due)
        raise AssertionError

    async def _post(self, email: str) -> None:
        whole = {**self.body, "email": email}
        headers = {} if self.as_form else {"Content-Type": "application/json"}
        sent = whole if self.as_form else json.dumps(whole)
        url = f"{self.base}/forms/newsletter"
        async with self.session.post(url, headers=headers, data=sent) as answer:
            assert answer.status == 202, answer.status
