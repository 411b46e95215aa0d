"""From a mail in a file to the paper for a judge, on a log of a million events.

Each event is a claim of one mail, half a minute apart, to one of two thousand people; then some
people are mailed for real, and each round defends the mail of another one. The command is timed
as an operator runs it, its start included, on SQLite and then on PostgreSQL. Whatever it asks of
the database that reads a table whole is named.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event as listening

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from benchmarks.figures import Figure, tell
from benchmarks.gateway import HERE, agree, durable_postgres, open_gateway, queue
from delivery.desk import Ended, Parcel
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.config import config
from gateway.flows.proving.consent_evidence import Opening
from gateway.http.defence_forms import Answering
from gateway.http.typesetter import Typesetter
from gateway.parts import Parts
from gateway.process.desk import Desk
from tests.support.statements import engines_of

EVENTS = 1_000_000
ROUNDS = 5
_GROUP = 2000
_PEOPLE = 2000
_MAILED = 100
_OWNER = "wrk_bench"
# Those that grow with the log here: of a hundred rows PostgreSQL reads all, and is right.
_LARGE = ("audit_entry", "audit_item", "audit_payload")


class _Unsealed:
    """What others' items are sealed with is no matter here: nobody opens them."""

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], plaintext: bytes
    ) -> bytes:
        return hashlib.shake_256(plaintext).digest(len(plaintext) + 82)


def run(events: int = EVENTS) -> None:
    """One database after the other."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_run(Path(folder), "sqlite:///data.db", "sqlite:///keys.db", events))
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        urls = server.create_database("data"), server.create_database("keys")
        asyncio.run(_run(Path(folder), *urls, events))


async def _run(folder: Path, data: str, keys: str, events: int) -> None:
    text = config.embedded_default()
    text = text.replace("sqlite:///var/gateway.db", data).replace("sqlite:///var/keystore.db", keys)
    file = folder / "config.toml"
    file.write_text(text)
    name = data.partition(":")[0]
    async with open_gateway(config.load(file)) as parts:
        await _fill(parts, events)
        mails = await _mails(parts)
        await _publish(parts)
        for number, raw in enumerate(mails[:ROUNDS]):
            (folder / f"{number}.eml").write_bytes(raw)
        whole = await _whole(parts, mails[0])
    for ending in ("pdf", "zip"):
        took = [_defended(file, folder / f"{number}.eml", ending) for number in range(ROUNDS)]
        what = f"a mail to a {ending}, {name}"
        tell(
            Figure(f"{what} (must 10)", "s", [wall for wall, _ in took]),
            Figure(f"{what}: of the processor", "s", [busy for _, busy in took]),
        )
    sys.stdout.write(f"read whole, {name}: {whole or 'nothing'}\n")


async def _fill(parts: Parts, events: int) -> None:
    begun, sealer = parts.clock.wall() - timedelta(seconds=30 * events), _Unsealed()
    for start in range(0, events, _GROUP):
        drafts = []
        for number in range(start, min(start + _GROUP, events)):
            facts = {"message": f"msg_{number:026}", "attempt": 1, "purpose": "newsletter"}
            facts |= {"reason": None, "ground": {"kind": "consent", "id": "con_" + "0" * 26}}
            items = [Item(f"sub_{number % _PEOPLE:026}", facts)]
            at = begun + timedelta(seconds=30 * number)
            event = Event(Kind.PERMIT_BATCH, Actor.SYSTEM, at, items=items)
            drafts.append(draft(event, sealer, parts.log.node))
        async with parts.data.begin() as connection:
            await parts.log.stage(connection, drafts)
        await _sequence(parts)


async def _mails(parts: Parts) -> list[bytes]:
    """What a hundred people were sent, as the relay saw it."""
    await queue(parts, await agree(parts, _MAILED))
    desk, mails = Desk(parts), []
    await desk.register(_OWNER)
    while parcels := await desk.claim(_OWNER, _MAILED):
        sent = [await _send(desk, one) for one in parcels]
        await desk.settle(_OWNER, [one for one, _ in sent])
        mails += [raw for _, raw in sent]
    return mails


async def _send(desk: Desk, parcel: Parcel[Any]) -> tuple[Ended[Any], bytes]:
    composed = await desk.compose(parcel)
    if composed is None:
        raise LookupError(parcel.message)
    await desk.spend(_OWNER, [Spending(parcel.permit, parcel.message, parcel.attempt)])
    taken = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))
    ended = Ended(parcel, taken, composed.digest, signature=composed.signature)
    return ended, composed.envelope.data


async def _sequence(parts: Parts) -> None:
    did: int | None = 1
    while did:
        async with parts.data.begin() as connection:
            did = await parts.log.sequence(connection)


async def _publish(parts: Parts) -> None:
    await _sequence(parts)
    await parts.publisher.publish(parts.data, parts.guard, parts.clock)


def _defended(file: Path, mail: Path, ending: str) -> tuple[float, float]:
    """How long it took, and of that the processor, which others on the machine do not change."""
    command = [sys.executable, "-m", "gateway", "--config", str(file), "defend", str(mail)]
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    out = str(mail.with_suffix(f".{ending}"))
    subprocess.run([*command, "-o", out], cwd=HERE, check=True, capture_output=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def _whole(parts: Parts, raw: bytes) -> Sequence[str]:
    """The large tables that an answer reads whole, by the plans of its statements."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append((statement, parameters))

    engines = engines_of(parts.data)
    for engine in engines:
        listening.listen(engine, "before_cursor_execute", note)
    typesetter = Typesetter()
    answering = Answering(parts, typesetter, opens_locked=True)
    await answering.of(raw, Opening(Actor.OPERATOR, "figures"), "en")
    await typesetter.stop()
    for engine in engines:
        listening.remove(engine, "before_cursor_execute", note)
    sqlite = next(iter(engines)).dialect.name == "sqlite"
    explain, scan = ("EXPLAIN QUERY PLAN", "SCAN ") if sqlite else ("EXPLAIN", "Seq Scan on ")
    found = set()
    async with parts.data.read() as connection:
        for statement, parameters in asked:
            plan = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
            lines = [str(row[-1]) for row in plan]
            found |= {one for one in lines if any(f"{scan}{name}" in one for name in _LARGE)}
    return sorted(found)
