"""The log taken out at the command line, in every form: how long a process takes, and how large.

On SQLite, on one core; every event has facts about one of a thousand people. Each export is
`gateway audit export` as an operator runs it; told are its processor's time, which others on the
machine do not change, and its largest memory.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from audit.entry import Draft, Event, Place, draft
from audit.kinds import Actor, Kind
from benchmarks.figures import Figure, tell
from benchmarks.gateway import HERE, pin
from gateway.config import config
from gateway.parts import Parts
from gateway.process.initialise import initialise
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from storage.database import open_database

SIZE = 1_000_000
_GROUP = 2000
_PEOPLE = 1000
_AUTHORITY = ("--scope", "authority", "--case", "2026-17")
_FORMS: Mapping[str, Sequence[str]] = {
    "jsonl": (),
    "bundle": (),
    "csv": (),
    "xlsx": (),
    "csv, for an authority": _AUTHORITY,
    "bundle, for an authority": _AUTHORITY,
}


class _Used(NamedTuple):
    """What a process took."""

    seconds: float
    memory: float
    size: int


class _Unsealed:
    """Seals nothing: no export without a person opens anything."""

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], raw: bytes
    ) -> bytes:
        return raw


def run() -> None:
    """Made once, and taken out in each form."""
    pin({0})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(make(folder, SIZE))
        for form, options in _FORMS.items():
            used = _export(folder, form.partition(",")[0], options)
            rate = Figure(f"{form}, {SIZE:,} events", "s", [used.seconds])
            memory = Figure(f"{form}: largest memory", "MB", [used.memory])
            tell(rate, memory, Figure(f"{form}: size", "MB", [used.size / 1e6]))


async def make(folder: Path, size: int) -> None:
    """A gateway in *folder* whose log has *size* events more than it began with."""
    (folder / "config.toml").write_text(config.embedded_default())
    settings = config.load(folder / "config.toml")
    await initialise(settings, DatabaseClock())
    async with open_parts(settings) as parts:
        async with parts.data.read() as connection:
            begun = await parts.clock.now(connection)
        places = [Place(f"sub_{number}", 0, None) for number in range(_PEOPLE)]
        for start in range(0, size, _GROUP):
            drafts: list[Draft] = []
            for number in range(start, min(start + _GROUP, size)):
                place = places[number % _PEOPLE]
                event = _event(number, begun + timedelta(milliseconds=number), place)
                drafts.append(draft(event, _Unsealed(), parts.log.node))
                places[number % _PEOPLE] = drafts[-1].next or place
            await _log(parts, drafts)
        await _publish(parts, settings)


async def _log(parts: Parts, drafts: Sequence[Draft]) -> None:
    async with parts.data.begin() as connection:
        await parts.log.stage(connection, drafts)
    did: int | None = 1
    while did:
        async with parts.data.begin() as connection:
            did = await parts.log.sequence(connection)


async def _publish(parts: Parts, settings: config.Config) -> None:
    async with open_database("guard", settings.storage.keystore_url) as guard:
        await parts.publisher.publish(parts.data, guard, parts.clock)


def _event(number: int, at: Any, place: Place) -> Event:
    facts: dict[str, Any] = {"why": f"Art. 15 request, case {number}"}
    refs = {"api_key": "key_0123456789abcdefghijklmnop"}
    kind = Kind.SUBJECT_ACCESSED
    return Event(kind, Actor.API, at, refs=refs, facts={"evidence": facts}, place=place)


def _export(folder: Path, form: str, options: Sequence[str]) -> _Used:
    out = folder / f"out-{form}"
    arguments = ["audit", "export", "--format", form, "-o", str(out), *options]
    configured = ["--config", str(folder / "config.toml")]
    command = [sys.executable, "-m", "gateway", *configured, *arguments]
    process = subprocess.Popen(command, cwd=HERE, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    size = out.stat().st_size
    out.unlink()
    return _Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size)
