"""A gateway on a durable PostgreSQL, filled with people who agreed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from audit.kinds import Actor, Kind
from consent import gates, links, personal, texts
from consent.consents import Consent
from consent.evidence import Confirmed
from consent.gates import Newcomer
from consent.model import Evidence, State
from consent.trail import Trail
from delivery import outbox
from delivery.outcome import Kind as MailKind
from gateway.config import config
from gateway.flows.joining import publish_texts
from gateway.flows.sending.content import CallersTemplate, new_message
from gateway.parts import Parts
from gateway.process.initialise import initialise
from gateway.process.lifespan import open_parts, put_in_order
from storage.clock import DatabaseClock
from storage.database import open_database
from storage.ids import ordered_id, random_id
from tests.support.postgres import Postgres, postgres

HERE = Path(__file__).parents[1]
_AT_ONCE = 1000
_CORES = os.sched_getaffinity(0)  # before any pinning: afterwards only the pinned ones are told


@contextlib.contextmanager
def durable_postgres() -> Iterator[Postgres]:
    """fsync and synchronous_commit on, or the figures would be about something else."""
    with postgres(durable=True, options=["-c", "shared_buffers=512MB"]) as server:
        yield server


@contextlib.contextmanager
def sink() -> Iterator[tuple[int, Path]]:
    """The counting relay in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "relay.jsonl"
        out.touch()
        command = [sys.executable, "-m", "tests.support.sink", "--port", "0"]
        process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            with process.stdout:
                yield int(process.stdout.readline()), out
        finally:
            process.kill()
            process.wait()


def configuration(folder: Path, data: str, keys: str, relay_port: int = 25) -> config.Config:
    """The embedded default on these databases, delivering to the sink."""
    text = config.embedded_default()
    text = text.replace("sqlite:///var/gateway.db", data).replace("sqlite:///var/keystore.db", keys)
    text = text.replace('transport = "inbox"', 'transport = "relay"')
    text = text.replace('processor = "relay"', 'processor = "none"')
    loaded = config.parse(text, base=folder)
    relay = loaded.delivery.relay.model_copy(update={"port": relay_port, "connections": 20})
    delivery = loaded.delivery.model_copy(update={"relay": relay})
    limits = loaded.limits.model_copy(update={"enabled": False})
    return loaded.model_copy(update={"delivery": delivery, "limits": limits})


@contextlib.asynccontextmanager
async def open_gateway(settings: config.Config) -> AsyncIterator[Parts]:
    """Initialised and in order; asserts that the database is durable."""
    await initialise(settings, DatabaseClock())
    await _assert_durable(settings)
    async with open_parts(settings) as parts:
        await put_in_order(parts)
        yield parts


async def _assert_durable(settings: config.Config) -> None:
    if not settings.storage.url.startswith("postgresql"):
        return
    async with open_database("data", settings.storage.url) as database, database.read() as c:
        for name in ("fsync", "synchronous_commit"):
            value = (await c.exec_driver_sql(f"SHOW {name}")).scalar_one()
            assert value == "on", f"{name} is {value}"


async def agree(parts: Parts, count: int, domains: int = 1) -> list[str]:
    """*count* people with a confirmed consent; written in bulk, as an import would."""
    people: list[str] = []
    for start in range(0, count, _AT_ONCE):
        people += await _agree(parts, range(start, min(start + _AT_ONCE, count)), domains)
    return people


async def _agree(parts: Parts, numbers: range, domains: int) -> list[str]:
    fresh = {random_id("sub"): f"person{n}@{_domain(n % domains)}" for n in numbers}
    await parts.keystore.create(fresh, parts.clock.wall())
    vault = await parts.keystore.vault(fresh)
    text = _wording(parts.config)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        newcomers = [
            Newcomer(
                subject,
                address,
                personal.seal_mailbox(subject, address, vault),
                "en",
            )
            for subject, address in fresh.items()
        ]
        await gates.admit(connection, parts.rows, parts.lookup, newcomers, now)
        held = await gates.lock(connection, fresh)
        trail = Trail(parts.log, vault, held, parts.rows)
        ids = {subject: ordered_id("con", now) for subject in fresh}
        consents = [
            Consent(
                id=id,
                subject=subject,
                purpose="newsletter",
                text_hash=text,
                form="newsletter",
                locale="en",
                state=State.CONFIRMED,
                evidence=Evidence.PROVEN,
                requested_at=now,
                lapses_at=now + timedelta(hours=72),
                decided_at=now,
                ends_at=None,
                mails=1,
                profile=None,
                eid=trail.record(
                    Kind.CONSENT_CONFIRMED,
                    subject,
                    Actor.SUBJECT,
                    now,
                    evidence=_agreed(id, text, now),
                ),
            )
            for subject, id in ids.items()
        ]
        await parts.consents.add(connection, consents)
        pairs = [(one, "newsletter") for one in fresh]
        await links.ensure_handles(connection, parts.rows, pairs, vault)
        await trail.stage(connection)
    return list(fresh)


def _domain(number: int) -> str:
    return f"d{number}.example.org" if number else "example.org"


def _wording(settings: config.Config) -> str:
    """The text of the newsletter in English: no other permits a mail."""
    for raw in publish_texts.bundles(settings)[0]:
        said = json.loads(raw)
        if (said["purpose"], said["locale"]) == ("newsletter", "en"):
            return texts.text_hash(raw)
    raise LookupError("newsletter")


def _agreed(consent: str, text: str, at: datetime) -> Confirmed:
    return Confirmed(
        consent=consent, purpose="newsletter", text=text, token="0" * 64, confirmed_at=at
    )


async def queue(parts: Parts, people: Sequence[str]) -> None:
    """One template message for each."""
    for start in range(0, len(people), _AT_ONCE):
        part = people[start : start + _AT_ONCE]
        vault = await parts.keystore.vault(part)
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            messages = [
                new_message(
                    CallersTemplate("welcome", {"first_name": "Ada"}),
                    vault,
                    now,
                    kind=MailKind.MARKETING,
                    subject=subject,
                    purpose="newsletter",
                    sender="acme",
                    id_domain="acme.example",
                    due_at=now,
                    expires_at=now + timedelta(days=5),
                )
                for subject in part
            ]
            await outbox.enqueue(connection, parts.rows, messages, now)


def pin(cores: set[int]) -> None:
    """This process on these cores alone, where the machine has them."""
    if cores <= _CORES:
        os.sched_setaffinity(0, cores)
