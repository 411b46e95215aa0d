"""How much of a claim's database time the audit log takes: driver's timings, fsync on."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from benchmarks.figures import Figure, tell
from benchmarks.gateway import agree, configuration, durable_postgres, open_gateway, pin, queue
from gateway.cli.talk import loop_factory
from gateway.config.config import Config
from gateway.parts import Parts
from gateway.process.desk import Desk
from storage.ids import random_id

ROUNDS = 5
CLAIMS = 20  # in a round
_SIZE = 100
_TABLE = re.compile(r"(?:FROM|INTO|UPDATE|nextval\('?)\s*\"?([a-z_]+)")
_COMMIT = "commit"


class Times:
    """Seconds by what a statement is about: its first table, or the commit."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._begun = time.perf_counter()

    def begin(self, *_: Any) -> None:
        self._begun = time.perf_counter()

    def statement(self, _connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        found = _TABLE.search(text)
        self.spent[found[1] if found else "other"] += time.perf_counter() - self._begun

    def returned(self, *_: Any) -> None:
        if self._committing:
            self.spent[_COMMIT] += time.perf_counter() - self._begun
        self._committing = False

    def commit(self, *_: Any) -> None:
        self._committing, self._begun = True, time.perf_counter()

    _committing = False

    @property
    def audit(self) -> float:
        return sum(spent for table, spent in self.spent.items() if table.startswith("audit_"))

    @property
    def whole(self) -> float:
        return sum(self.spent.values())


@contextmanager
def timed() -> Iterator[Times]:
    """Around each statement and commit of every engine, while the block runs."""
    times = Times()
    hooks = (
        (Engine, "before_cursor_execute", times.begin),
        (Engine, "after_cursor_execute", times.statement),
        (Engine, "commit", times.commit),
        (Pool, "reset", times.returned),
    )
    for target, name, hook in hooks:
        event.listen(target, name, hook)
    try:
        yield times
    finally:
        for target, name, hook in hooks:
            event.remove(target, name, hook)


def run() -> None:
    """This process on one core, PostgreSQL on the other."""
    pin({1})
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        data, keys = server.create_database("data"), server.create_database("keys")
        settings = configuration(Path(folder), data, keys)
        pin({0})
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(settings))


async def _run(settings: Config) -> None:
    shares, claims, parts_of = [], [], defaultdict(list)
    async with open_gateway(settings) as parts:
        people = await agree(parts, CLAIMS * _SIZE)
        await _claim_all(parts, people)  # one round before the first, as elsewhere
        async with parts.data.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")
        for _ in range(ROUNDS):
            times = await _claim_all(parts, people)
            shares.append(100 * times.audit / times.whole)
            claims.append(1000 * times.whole / CLAIMS)
            for table, spent in times.spent.items():
                parts_of[table].append(1000 * spent / CLAIMS)
    tell(
        Figure(f"a claim of {_SIZE}: statements and commit, PostgreSQL", "ms", claims),
        Figure("of it statements of the audit log (must 15)", "%", shares),
        *(Figure(f"  {table}", "ms", spent) for table, spent in sorted(parts_of.items())),
    )


async def _claim_all(parts: Parts, people: list[str]) -> Times:
    await queue(parts, people)
    owner, desk = random_id("wrk"), Desk(parts)
    await desk.register(owner)
    with timed() as times:
        for _ in range(CLAIMS):
            assert len(await desk.claim(owner, _SIZE)) == _SIZE
    return times
