"""The log taken out as a bundle, and checked by the file that lies in it: how it grows.

On SQLite, one core; every event has facts about a person. Exports and checks each run in a
process of their own; told are its processor's time, which others on the machine do not change, and
its largest memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft, Event, Place, draft
from audit.export import bundle, selection
from audit.export.disclosed import Disclosing, Showing
from audit.export.selection import Wanted
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.publish import Publisher
from audit.signers import Signers
from audit.tables import guard_metadata, metadata
from benchmarks.figures import Figure, tell
from benchmarks.gateway import HERE, pin
from gateway.flows.proving.exports import at_once
from gateway.look import verifying
from storage.clock import DatabaseClock
from storage.database import open_database
from storage.keysets import KeySet
from storage.secret import Secret

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 3
_GROUP = 2000
_PERSON = "sub_ada"
_BEGUN = datetime(2026, 11, 23, 8, 25, 10, tzinfo=UTC)
_LOG = Log("bench.example/audit", KeySet.of(Secret(bytes(32))), "node-1")
_PUBLISHER = Publisher(_LOG, Signers.of(_LOG.first, Secret(hashlib.sha256(b"BENCH").digest())))


class _Unsealed:
    """Seals nothing: what sealing costs is no matter of a bundle."""

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], raw: bytes
    ) -> bytes:
        return raw

    def open(
        self, subject: str, compartment: str, place: tuple[str, str, str], sealed: bytes
    ) -> bytes | None:
        return sealed


def run() -> None:
    """Each size: made, taken out, checked; the larger ones beside the first."""
    pin({0})
    first: dict[str, float] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            asyncio.run(_make(folder, size))
            for what in ("log", "person"):
                made = _told("export", folder, what)
                _tell(f"{what} of {size:,} taken out", size, [made])
            checks = {"tree": "log", "checks": "log", "opened": "person"}
            for check, what in checks.items():
                rounds = [_told(check, folder, what) for _ in range(ROUNDS)]
                each = _tell(f"{check}, {size:,}", size, rounds)
                first.setdefault(check, each)
                ratio = [each / first[check]]
                tell(Figure(f"{check}: an event at {size:,} / at {SIZES[0]:,}", "x", ratio))


def _tell(name: str, size: int, rounds: Sequence[Mapping[str, float]]) -> float:
    figure = Figure(name, "per s", [size / one["seconds"] for one in rounds])
    memory = Figure(f"{name}: largest memory", "MB", [one["memory"] for one in rounds])
    tell(figure, memory)
    return 1 / figure.median


def _told(*arguments: object) -> dict[str, float]:
    """What a process of its own measures."""
    command = [sys.executable, "-m", "benchmarks.bundles", *map(str, arguments)]
    done = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


async def _make(folder: Path, size: int) -> None:
    async with _open(folder) as data, open_database("keys", _url(folder, "keys")) as keys:
        async with data.begin() as connection, keys.begin() as other:
            await connection.run_sync(metadata.create_all)
            await other.run_sync(guard_metadata.create_all)
            await _PUBLISHER.create_guard(other, connection)
            await _LOG.open_log(connection, _BEGUN)
        place, sealer = Place(_PERSON, 0, None), _Unsealed()
        for start in range(0, size, _GROUP):
            drafts: list[Draft] = []
            for number in range(start, min(start + _GROUP, size)):
                drafts.append(draft(_event(number, place), sealer, _LOG.node))
                place = drafts[-1].next or place
            async with data.begin() as connection:
                await _LOG.stage(connection, drafts)
            did: int | None = 1
            while did:
                async with data.begin() as connection:
                    did = await _LOG.sequence(connection)
        await _PUBLISHER.publish(data, keys, DatabaseClock())


def _event(number: int, place: Place) -> Event:
    why = f"Art. 15 request, case {number}: the letter of that day, which asks for everything"
    facts: dict[str, Any] = {"why": why, "caller": "key_0123456789abcdefghijklmnop"}
    at = _BEGUN + timedelta(milliseconds=40 * number)
    refs = {"api_key": "key_0123456789abcdefghijklmnop"}
    kind = Kind.SUBJECT_ACCESSED
    return Event(kind, Actor.API, at, refs=refs, facts={"evidence": facts}, place=place)


def _open(folder: Path) -> Any:
    return open_database("data", _url(folder, "data"))


def _url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder}/{name}.db"


def _measure(what: str, folder: Path, of: str) -> None:
    """In a process of its own: how long it took, and the largest memory."""
    begun = time.process_time()
    path = folder / f"{of}.zip"
    if what == "export":
        asyncio.run(_export(folder, path, of))
    elif what == "tree":
        _grow(path)
    else:
        with path.open("rb") as file:
            sound, said = verifying.check(file, _PUBLISHER.vkey, [])
        assert sound, said
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "memory": memory}))


async def _export(folder: Path, path: Path, of: str) -> None:
    person = Disclosing(_PERSON, _Unsealed(), lambda _kind, _facts: Showing.OPENED, _still)
    async with _open(folder) as data:
        logs = await selection.parts_of(data, _LOG, _PUBLISHER.verifier)
        wanted = Wanted(person=person if of == "person" else None)
        sign, origin = _PUBLISHER.sign_manifest, _LOG.first
        written = bundle.write(data, origin, logs, wanted, {}, sign, _BEGUN, at_once)
        with path.open("wb") as file:
            async for part in written:
                file.write(part)


async def _still(_connection: AsyncConnection) -> None:
    """They are there."""


def _grow(path: Path) -> None:
    """Tree, checkpoint and consistency alone: nothing is read of what the entries say."""
    verifier = verifying.module()
    keys = verifier.Keys(_PUBLISHER.vkey)
    with path.open("rb") as file:
        opened = verifier.Bundle(file, keys)
        note = opened.whole("log/1/checkpoint")
        signed = keys.checkpoint(note, _LOG.first, _LOG.first, "checkpoint")
        log = verifier.Reading(1, _LOG.first, signed)
        log.claim(signed, "the checkpoint")
        for size in range(1, signed.size, signed.size // 4):
            log.claims.setdefault(size, [])
        for lines in opened.lines(log.path, 8192):
            log.grow([hashlib.sha256(b"\0" + line).digest() for line in lines])
        assert log.tree.root == signed.root


if __name__ == "__main__":
    _measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
