"""One question, one answer: may somebody be mailed, and a message that is accepted durably.

Beside a bare aiohttp handler that makes one indexed look-up in the same database.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import agree, durable_postgres, pin
from benchmarks.sign_ups import PORT, configure, running, server, used
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.config import config
from gateway.parts import Parts
from gateway.process.lifespan import open_parts, put_in_order

ROUNDS = 5
SECONDS = 3.0
MANY = 64
PEOPLE = 1000
_BARE_PORT = 18082
# The least that such an answer can cost: JSON read, one row by its key, JSON written.
_BARE = """
import sqlite3, sys
from aiohttp import web
port, url = int(sys.argv[1]), sys.argv[2]
if url.startswith("sqlite"):
    store = sqlite3.connect(url.removeprefix("sqlite:///"))
    async def look(request, name):
        return store.execute("SELECT state FROM subject WHERE id = ?", (name,)).fetchone()
else:
    import asyncpg
    async def opened(app):
        app["store"] = await asyncpg.create_pool(url, min_size=10, max_size=10)
        yield
        await app["store"].close()
    async def look(request, name):
        return await request.app["store"].fetchrow("SELECT state FROM subject WHERE id = $1", name)
async def ask(request):
    asked = await request.json()
    row = await look(request, asked["to"]["subject_id"])
    return web.json_response({"granted": row is not None})
app = web.Application()
if not url.startswith("sqlite"):
    app.cleanup_ctx.append(opened)
app.router.add_post("/v1/permissions", ask)
import uvloop
uvloop.install()
web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)
"""


@dataclass(frozen=True)
class Load:
    """What one round measured; *cpu* of the process of the server, with all that it does beside."""

    times: list[float]
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    @property
    def each(self) -> float:
        """Milliseconds of the processor for one answer."""
        return 1000 * self.cpu / len(self.times)

    @property
    def median(self) -> float:
        return 1000 * statistics.median(self.times)

    @property
    def p99(self) -> float:
        return 1000 * statistics.quantiles(self.times, n=100)[98]


@dataclass(frozen=True)
class Asked:
    """What is asked again and again, and of which process."""

    port: int
    path: str
    bodies: Iterator[str]
    headers: dict[str, str]
    status: int
    pid: int


def run() -> None:
    """The server on one core; callers and PostgreSQL on the other; bare and ours in turn."""
    pin({1})
    with durable_postgres() as postgres:
        for name, data, keys in (
            ("PostgreSQL", postgres.create_database("asked"), postgres.create_database("keys")),
            ("SQLite", None, None),
        ):
            with tempfile.TemporaryDirectory() as folder:
                _compare(name, Path(folder), data, keys)


def _compare(name: str, folder: Path, data: str | None, keys: str | None) -> None:
    path = configure(folder, data, keys)
    settings = config.load(path)
    token, people = asyncio.run(_filled(settings))
    store = data or f"sqlite:///{folder / 'var/gateway.db'}"
    with server(_BARE_PORT, "-c", _BARE, str(_BARE_PORT), store) as other, running(path) as ours:
        asked = {
            "bare look-up": _bare(other, people),
            "permission": _permission(ours, token),
            "message": _message(ours, token),
        }
        idle = _idle(ours)
        for callers in (1, MANY):
            rounds: dict[str, list[Load]] = {what: [] for what in asked}
            for turn in range(-1, ROUNDS):  # the first of all is not counted
                for what, question in asked.items():
                    load = asyncio.run(_load(question, callers))
                    rounds[what] += [load] if turn >= 0 else []
            _told(name, callers, rounds)
        tell(Figure(f"{name}: the process with nothing to do, a second", "ms CPU", [idle]))


def _told(name: str, callers: int, rounds: dict[str, list[Load]]) -> None:
    head = f"{name}, {callers}"
    cpu = {
        what: Figure(f"{head}: {what}", "ms CPU", [one.each for one in loads])
        for what, loads in rounds.items()
    }
    for what, loads in rounds.items():
        tell(
            cpu[what],
            Figure(f"{head}: {what}, median", "ms", [one.median for one in loads]),
            Figure(f"{head}: {what}, p99", "ms", [one.p99 for one in loads]),
            Figure(f"{head}: {what}, answered", "/s", [one.rate for one in loads]),
        )
    bare = cpu["bare look-up"]
    for what in ("permission", "message"):
        tell(ratio(f"{head}: {what} / bare look-up, CPU", cpu[what], bare))


async def _filled(settings: config.Config) -> tuple[str, list[str]]:
    """People who agreed, and a key of who asks about them."""
    async with open_parts(settings) as parts:
        await put_in_order(parts)
        people = await agree(parts, PEOPLE)
        return await _key(parts), people


async def _key(parts: Parts) -> str:
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        scopes = (Scope.PERMISSIONS_READ, Scope.MESSAGES_SEND)
        made = await api_keys.create(connection, parts.rows, name="asks", scopes=scopes, now=now)
    return made[1]


def _bare(pid: int, people: list[str]) -> Asked:
    bodies = [json.dumps({"to": {"subject_id": one}, "purpose": "newsletter"}) for one in people]
    return Asked(_BARE_PORT, "/v1/permissions", itertools.cycle(bodies), {}, 200, pid)


def _permission(pid: int, token: str) -> Asked:
    bodies = [json.dumps({"to": to, "purpose": "newsletter"}) for to in _people()]
    return _ours(pid, token, "/v1/permissions", bodies, 200)


def _message(pid: int, token: str) -> Asked:
    content = {"template": "welcome", "data": {"first_name": "Ada"}}
    bodies = [
        json.dumps({"to": to, "purpose": "newsletter", "content": content}) for to in _people()
    ]
    return _ours(pid, token, "/v1/messages", bodies, 202)


def _people() -> list[dict[str, str]]:
    return [{"email": f"person{number}@example.org"} for number in range(PEOPLE)]


def _ours(pid: int, token: str, path: str, bodies: list[str], status: int) -> Asked:
    headers = {"Authorization": f"Bearer {token}"}
    return Asked(PORT, path, itertools.cycle(bodies), headers, status, pid)


def _idle(pid: int) -> float:
    """Milliseconds of the processor that a second takes while nobody asks."""
    time.sleep(2)
    begun = used(pid)
    time.sleep(5)
    return 1000 * (used(pid) - begun) / 5


async def _load(asked: Asked, callers: int) -> Load:
    connector = aiohttp.TCPConnector(limit=callers)
    headers = asked.headers | {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        url, times, begun = f"http://127.0.0.1:{asked.port}{asked.path}", [], used(asked.pid)
        start = time.perf_counter()

        async def one() -> None:
            while time.perf_counter() < start + SECONDS:
                sent = time.perf_counter()
                async with session.post(url, data=next(asked.bodies)) as answer:
                    assert answer.status == asked.status, await answer.text()
                    await answer.read()
                times.append(time.perf_counter() - sent)

        await _together(one, callers)
        return Load(times, time.perf_counter() - start, used(asked.pid) - begun)


async def _together(work: Callable[[], Awaitable[None]], callers: int) -> None:
    await asyncio.gather(*(work() for _ in range(callers)))
