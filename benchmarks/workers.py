"""`gateway worker` as an operator starts it, looked at from outside.

A gateway on a durable PostgreSQL, initialised by its command, with its duties; messages are
handed in over HTTP and wait; then the command is started, and what comes is counted where it
arrives.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
from sqlalchemy.engine import make_url

from benchmarks.gateway import HERE, agree, pin
from benchmarks.receiving import Counting, Window
from benchmarks.sign_ups import PORT, configure, running, used
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.config import config
from gateway.process.lifespan import open_parts, put_in_order
from tests.support.postgres import Postgres

CONNECTIONS: Final = 20
DOMAIN: Final = "acme.example"
WORKER_CORE: Final = frozenset({0})
BOTH_CORES: Final = frozenset({0, 1})
_AT_ONCE: Final = 500
_LINE: Final = "We write to {{ first_name }} in {{ city }} about what came new this month."
_ITEM: Final = "A piece of news that is a line or two long, as most of them are, number "
_ITEMS: Final = 3  # so that a mail is 6 KB with all that is added to it
SUBJECT: Final = "News for {{ first_name }}"
TEXT: Final = "\n".join(
    (
        *("Hello {{ first_name }},", "", _LINE, ""),
        *(f"- {_ITEM}{n}." for n in range(_ITEMS)),
        *("", "Your code is {{ code }}.", ""),
    )
)
HTML: Final = "\n".join(
    (
        *("<h1>Hello {{ first_name }}</h1>", f"<p>{_LINE}</p>", "<ul>"),
        *(f"<li>{_ITEM}{n}.</li>" for n in range(_ITEMS)),
        *("</ul>", "<p>Your code is <b>{{ code }}</b>.</p>", ""),
    )
)


@dataclass(frozen=True)
class Delivered:
    """What came of one start of the command; memory in MB, at its most, of one process."""

    window: Window
    memory: float


@dataclass(frozen=True)
class Gateway:
    """An initialised gateway with so many people who agreed, and a key to write to them."""

    config: Path
    store: str
    key: str
    people: int

    def hand_in(self, kind: str, count: int) -> None:
        """Have *count* messages accepted over HTTP, by a server that ends before this returns."""
        with running(self.config):
            asyncio.run(self._hand_in(kind, count))

    async def _hand_in(self, kind: str, count: int) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for start in range(0, count, _AT_ONCE):
                numbers = range(start, min(start + _AT_ONCE, count))
                batch = {"messages": [message(kind, n % self.people) for n in numbers]}
                url = f"http://127.0.0.1:{PORT}/v1/messages/batch"
                async with session.post(url, json=batch) as answer:
                    assert answer.status == 200, await answer.text()
                    results = (await answer.json())["results"]
                assert {one["status"] for one in results} == {"queued"}

    def deliver(
        self,
        sink: Counting,
        count: int,
        *,
        processes: int = 1,
        cores: frozenset[int] = WORKER_CORE,
    ) -> Delivered:
        """Start the command on these cores, wait for *count* mails, and end it by SIGTERM."""
        with Running(self.config, processes, cores) as worker:
            window = sink.watch(count, sample=worker.cpu)
            memory = worker.memory()
        return Delivered(window, memory)

    def statuses(self) -> dict[str, int]:
        """How many messages have each status."""
        return asyncio.run(self._statuses())

    async def _statuses(self) -> dict[str, int]:
        found = await self._rows("SELECT status, count(*) FROM outbox GROUP BY status")
        return {row["status"]: row["count"] for row in found}

    def analyze(self) -> None:
        """As in a gateway that has run for a while: its tables have statistics."""
        asyncio.run(self.vacuum())

    async def vacuum(self) -> None:
        """Likewise; what ended is out of the way."""
        await self._rows("VACUUM ANALYZE")

    async def _rows(self, statement: str) -> Sequence[Mapping[str, Any]]:
        url = make_url(self.store)
        connection = await asyncpg.connect(
            user=url.username, database=url.database, host=str(url.query["host"])
        )
        try:
            return [dict(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    def dkim_records(self) -> dict[str, str]:
        """What its operator publishes."""
        shown = subprocess.run(
            [*_command(self.config), "dkim", "show", "--json"],
            check=True,
            cwd=HERE,
            capture_output=True,
        )
        return {one["name"]: one["value"] for one in json.loads(shown.stdout)}


def prepare(
    folder: Path, server: Postgres, name: str, port: int, people: int, domains: int = 1
) -> Gateway:
    """Initialise one by its command, that hands over to *port*, and let people agree."""
    folder.mkdir()
    data, keys = server.create_database(f"{name}_data"), server.create_database(f"{name}_keys")
    path = configure(folder, data, keys)
    text = path.read_text()
    written = re.sub(r"(?m)^port = 25\b", f"port = {port}", text)
    written = re.sub(r'(?m)^# directory = "templates"', 'directory = "templates"', written)
    assert written.count(f"port = {port}\n") + written.count(f"port = {port} ") == 1
    path.write_text(written)
    template = folder / "templates" / "news"
    template.mkdir(parents=True)
    for part, words in (("subject.txt", SUBJECT), ("body.txt", TEXT), ("body.html", HTML)):
        (template / part).write_text(words)
    key = asyncio.run(_filled(config.load(path), people, domains))
    return Gateway(path, data, key, people)


async def _filled(settings: config.Config, people: int, domains: int) -> str:
    async with open_parts(settings) as parts:
        await put_in_order(parts)
        await agree(parts, people, domains)
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            scopes = (Scope.MESSAGES_SEND,)
            made = await api_keys.create(
                connection, parts.rows, name="benchmark", scopes=scopes, now=now
            )
    return made[1]


def words(number: int) -> dict[str, str]:
    """What differs from one recipient to the next."""
    return {"first_name": f"Ada{number}", "city": "Example Town", "code": f"{number:06}"}


def filled(template: str, number: int) -> str:
    """A template with one recipient's words in it."""
    for name, value in words(number).items():
        template = template.replace(f"{{{{ {name} }}}}", value)
    return template


def message(kind: str, number: int) -> dict[str, Any]:
    """One message as a caller hands it in: `ready` made, or by `template`."""
    content: dict[str, Any] = {"template": "news", "data": words(number)}
    if kind == "ready":
        parts = {"subject": SUBJECT, "text": TEXT, "html": HTML}
        content = {name: filled(part, number) for name, part in parts.items()}
    to = {"email": f"person{number}@example.org"}
    return {"to": to, "purpose": "newsletter", "content": content}


class Running:
    """The command on some cores, for the life of the block; ends in order, or the figures lie."""

    def __init__(self, path: Path, processes: int, cores: frozenset[int]) -> None:
        more = ["--processes", str(processes)] if processes > 1 else []
        self._log = path.with_name("worker.log")
        self._command = [*_command(path), "worker", *more]
        self._cores = set(cores)
        self._killed = False

    def __enter__(self) -> Running:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=HERE,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: pin(self._cores),
            )
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._killed:
            return
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        told = self._log.read_text()[-2000:]
        assert kind is not None or status == 0, f"the worker ended with {status}: {told}"
        if kind is not None:
            sys.stderr.write(told)

    def cpu(self) -> float:
        """Seconds that its processes have used, the kernel's work for them included."""
        return sum(map(used, self._pids()))

    def memory(self) -> float:
        """The most that one of its processes held, in MB."""
        return max(map(_largest, self._pids()))

    def cut_off(self) -> None:
        """Kill it and all that it began, as a power loss would, as far as they can tell."""
        for one in self._pids():
            os.kill(one, signal.SIGKILL)
        self._process.wait(60)
        self._killed = True

    def _pids(self) -> list[int]:
        return [self._process.pid, *children(self._process.pid)]


def children(pid: int) -> list[int]:
    """The processes that this one has begun, and that live."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _largest(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _command(path: Path) -> list[str]:
    """As the installed command is called."""
    return [str(Path(sys.executable).with_name("gateway")), "--config", str(path)]


def settle(seconds: float = 1.0) -> None:
    """Let whatever the last one left behind come to rest."""
    time.sleep(seconds)
