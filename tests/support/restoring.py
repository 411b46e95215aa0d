"""A gateway whose stores are kept, lived on with, and put back: real files, real databases."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from audit.report import Report
from gateway.cli import restore as command
from gateway.config import config
from gateway.config.config import Config
from gateway.flows.proving import verify
from gateway.flows.restoring import restoration
from gateway.flows.restoring.restoration import Done, Found
from gateway.flows.rights.erasing import Erasing
from gateway.process import initialise
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from tests.support import apps, forking
from tests.support.apps import App, Mail, start_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.gateways import _HERE, environment

STAYS, WITHDRAWS, OBJECTS, FORGOTTEN, LATER = (
    f"{name}@example.org" for name in ("stays", "withdraws", "objects", "forgotten", "later")
)
_STORES = ("data", "keys", "guard")
_KEPT = '\n[retention]\nevidence_after_withdrawal = "0d"\n'


@dataclass
class Site:
    """One gateway, with its guard in a place of its own or not; nothing of it is open."""

    directory: Path
    databases: Databases
    dialect: str
    urls: dict[str, str]
    clock: SteppedClock = field(default_factory=SteppedClock)

    @classmethod
    async def make(
        cls, directory: Path, databases: Databases, dialect: str, *, guard_apart: bool = True
    ) -> Site:
        urls = {name: databases(dialect) for name in _STORES}
        if not guard_apart:
            urls["guard"] = urls["keys"]
        made = cls(directory, databases, dialect, urls)
        await initialise.initialise(made.config, made.clock)
        return made

    @property
    def config(self) -> Config:
        return config.load(self.write_config())

    def write_config(self) -> Path:
        """As it stands now; nothing stays of who is erased, not even what is locked elsewhere."""
        urls = (self.urls["data"], self.urls["keys"])
        raw = apps.written(urls, more=_KEPT)
        origin = 'origin = "test.example/audit/gateway"'
        path = self.directory / "config.toml"
        path.write_text(raw.replace(origin, f'{origin}\nguard_url = "{self.urls["guard"]}"'))
        return path

    def killed_at(self, statement: int, *command: str) -> int:
        """Run a command and kill it at that statement; the exit code, 0 where it ended before."""
        arguments = [str(statement), "--config", str(self.write_config()), *command]
        done = forking.run(arguments, _HERE, environment(), module="tests.support.killed")
        return done.returncode

    @asynccontextmanager
    async def started(self) -> AsyncIterator[App]:
        async with start_app(self.config, self.clock) as app:
            yield app

    def keep(self) -> dict[str, str]:
        """A backup of every store, as a database of its own."""
        return {name: self._copy(url) for name, url in self.urls.items()}

    def put_back(self, kept: Mapping[str, str], *names: str) -> None:
        """Let these stores be what they were."""
        self.urls |= {name: self._copy(kept[name]) for name in names}

    def forget(self) -> None:
        """Be a machine on which no process ever ran."""
        for path in self.config.delivery.journal_dir.glob("published-*"):
            path.unlink()

    def _copy(self, url: str) -> str:
        if self.dialect == "postgresql":
            return self.databases.copy(url)
        new = self.databases(self.dialect)
        shutil.copy(str(make_url(url).database), str(make_url(new).database))
        return new

    def ran(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command, as an operator runs it."""
        arguments = ["--config", str(self.write_config()), *command]
        return forking.run(arguments, _HERE, environment())

    def at_present(self) -> None:
        """Let the clock show an hour ago: commands have the machine's."""
        self.clock = SteppedClock(DatabaseClock().wall() - timedelta(hours=1))

    async def restore(
        self, *, declared: bool = False, broken_off: int | None = None
    ) -> tuple[Found, Done]:
        """What `gateway restore --yes` does; *broken_off*: before which of its steps."""
        steps_left = itertools.count(broken_off or 0, -1)

        def tell(step: str) -> None:
            if broken_off is not None and next(steps_left) == 0:
                raise ZeroDivisionError

        async with open_parts(self.config, self.clock) as parts:
            steps = command._steps(Erasing(parts))
            found = await restoration.look(steps.erasing, declared=declared)
            return found, await steps.carry_out(found, tell)

    async def verified(self, *held: str) -> tuple[Report, list[str]]:
        async with open_parts(self.config, self.clock) as parts:
            verification = await verify.verify(parts, held)
        return verification.report, list(verification.rows)


@dataclass
class Past:
    """What happened: before the backup, and in the days after it."""

    kept: Mapping[str, str]
    checkpoint: str  # as somebody outside kept it when the backup was made
    later: str  # the same, days later
    forgotten: str  # the id of who was erased
    key: Mapping[str, str]
    queued: str  # a message that waited at the backup, and went out since


async def live(site: Site, days: int = 10, backup: Path | None = None) -> Past:
    async with site.started() as app:
        for email in (STAYS, WITHDRAWS, OBJECTS, FORGOTTEN):
            await app.subscribe(email)
        key = await app.key()
        forgotten = await app.subject(FORGOTTEN)
        assert forgotten is not None
        queued = await queue(app, key, STAYS)
        await app.tick()
        checkpoint = await _checkpoint(app, key)
    kept = site.keep()
    if backup is not None:
        assert site.ran("backup", str(backup)).returncode == 0
    async with site.started() as app:
        assert [mail.to for mail in await app.deliver()] == [STAYS]
        site.clock.step(timedelta(days=days))
        for email, kind in ((WITHDRAWS, "withdraw"), (OBJECTS, "object")):
            said = {"to": {"email": email}, "purpose": "newsletter", "kind": kind}
            answer = await app.http.post(
                "/v1/withdrawals", json=said | {"channel": "phone"}, headers=key
            )
            assert answer.status == 200
        answer = await app.http.post("/v1/erasures", json={"email": FORGOTTEN}, headers=key)
        assert answer.status == 202
        await app.subscribe(LATER)
        await app.tick()
        later = await _checkpoint(app, key)
    return Past(kept, checkpoint, later, forgotten, key, queued)


async def queue(app: App, key: Mapping[str, str], email: str) -> str:
    content = {"subject": "News", "text": "Something new.", "html": "<p>Something new.</p>"}
    wanted = {"to": {"email": email}, "purpose": "newsletter", "content": content}
    answer = await app.http.post("/v1/messages", json=wanted, headers=key)
    said: dict[str, Any] = await answer.json()
    return str(said.get("message_id", said.get("reason")))


async def mailed(app: App) -> list[str]:
    """Everybody is to be mailed; who was."""
    key = await app.key()
    for email in (STAYS, WITHDRAWS, OBJECTS, FORGOTTEN, LATER):
        await queue(app, key, email)
    mails: list[Mail] = await app.deliver()
    return sorted(mail.to for mail in mails)


async def status(app: App, past: Past) -> str:
    answer = await app.http.get(f"/v1/messages/{past.queued}", headers=past.key)
    return str((await answer.json())["status"])


async def _checkpoint(app: App, key: Mapping[str, str]) -> str:
    return await (await app.http.get("/v1/audit/checkpoint", headers=key)).text()
