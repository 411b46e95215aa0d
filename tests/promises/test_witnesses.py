"""Promise 6, against who shows two parties two logs: witnesses that nobody of us controls."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import delete, update

from audit import checkpoints, public, witnessed
from audit.checkpoints import Checkpoint
from audit.kinds import Actor
from audit.tables import audit_checkpoint, audit_cosignature
from gateway.config.config import Audit, WitnessSection
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.flows.proving.witnessing import Witnessing
from gateway.http.witnesses import add_checkpoint
from tests.promises.test_receipts import rewrite_without, show
from tests.support import bundles
from tests.support.apps import App
from tests.support.witness import vkey_of

DAY = timedelta(days=1)


@dataclass
class Place:
    """A witness that runs, at a distance."""

    name: str
    port: int
    state: Path

    @property
    def seed(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()

    @property
    def vkey(self) -> str:
        return vkey_of(self.name, self.seed)

    def stands(self, **changes: object) -> dict[str, object]:
        said: dict[str, object] = json.loads(self.state.read_text()) | changes
        self.state.write_text(json.dumps(said))
        return said


@pytest.fixture
async def places(app: App, tmp_path: Path) -> AsyncIterator[list[Place]]:
    """Two of them, each a process."""
    with ExitStack() as stack:
        found = []
        for name in ("witness.example/one", "witness.test/two"):
            state = tmp_path / f"{len(found)}.json"
            seed = hashlib.sha256(name.encode()).hexdigest()
            program = [sys.executable, "-m", "tests.support.witness", name, seed]
            child = subprocess.Popen(  # noqa: ASYNC220 a process of the test's
                [*program, app.parts.publisher.vkey, str(state)], stdout=subprocess.PIPE
            )
            stack.callback(child.wait)
            stack.callback(child.kill)
            assert child.stdout is not None
            stack.callback(child.stdout.close)
            port = await asyncio.to_thread(child.stdout.readline)
            found.append(Place(name, int(port), state))
        yield found


def audit_of(app: App, places: list[Place], needed: int | None = None) -> Audit:
    sections = {
        f"w{number}": WitnessSection(url=f"http://127.0.0.1:{one.port}/w/", vkey=one.vkey)
        for number, one in enumerate(places)
    }
    changes = {"witnesses": sections, "witnesses_needed": needed}
    return app.parts.config.audit.model_copy(update=changes)


def of(app: App, audit: Audit) -> Witnessing:
    parts = app.parts
    verifier = parts.publisher.verifier
    stores = (parts.data, parts.guard, parts.clock)
    return Witnessing(*stores, parts.log, verifier, audit, add_checkpoint)


async def cosigned(app: App, audit: Audit) -> list[str]:
    parts = app.parts
    verifier = parts.publisher.verifier
    stores = (parts.data, parts.guard)
    found = await witnessed.seen(*stores, parts.log, verifier, witnessed.known(audit.vkeys))
    return [one.witness for one in found.cosignatures]


async def test_each_public_checkpoint_is_cosigned_and_no_other_is_shown_to_them(
    app: App, places: list[Place]
) -> None:
    one, two = places
    audit = audit_of(app, places)
    await show(app)
    await of(app, audit).run()
    assert await cosigned(app, audit) == [one.name, two.name]
    first = one.stands()["size"]
    await app.subscribe()
    await app.tick()
    await of(app, audit).run()
    assert one.stands()["size"] == first, "what is not public yet is nobody's business"
    app.step(DAY)
    two.stands(away=True)
    await show(app)

    with structlog.testing.capture_logs() as lines:
        await of(app, audit).run()
    assert await cosigned(app, audit) == [one.name]
    assert [(x["event"], x["witness"], x["status"]) for x in lines] == [
        ("witness.failed", two.name, 503)
    ]
    two.stands(away=False)
    async with app.parts.guard.begin() as connection:
        await connection.execute(delete(audit_cosignature))  # it says itself where it stands
    await of(app, audit).run()

    assert await cosigned(app, audit) == [one.name, two.name]
    assert one.stands()["size"] == two.stands()["size"] != first


async def test_bundles_and_the_public_checkpoint_carry_their_word_and_a_stranger_can_check_it(
    app: App, places: list[Place]
) -> None:
    app = with_audit(app, audit_of(app, places))
    await app.subscribe()
    await show(app)
    for one in places:
        one.stands(now=int(app.parts.clock.wall().timestamp()) + 60)
    await of(app, app.parts.config.audit).run()

    note = await (await app.http.get("/v1/audit/checkpoint")).text()
    bundle = await export(app)
    keys = "\n".join([app.parts.publisher.vkey, *(one.vkey for one in places)])
    sound, said = bundles.check_here(bundle, keys)
    alone, unwitnessed = bundles.check_here(bundle, app.parts.publisher.vkey)

    assert all(f"\u2014 {one.name} " in note for one in places)
    assert checkpoints.verify(note, app.parts.publisher.vkey)
    assert (sound, "level: witnessed" in said) == (True, True), said
    assert (alone, "level: signed" in unwitnessed) == (True, True), unwitnessed


async def test_a_reader_says_how_many_must_have_signed_and_is_told_who_did_not(
    app: App, places: list[Place], tmp_path: Path
) -> None:
    """By the file that lies in the bundle; the keys and the number are the reader's own."""
    one, two = places
    app = with_audit(app, audit_of(app, places, needed=1))
    await app.subscribe()
    await show(app)
    for place in places:
        place.stands(now=int(app.parts.clock.wall().timestamp()) + 60)
    two.stands(away=True)
    await of(app, app.parts.config.audit).run()
    bundle = tmp_path / "log.zip"
    bundle.write_bytes(await export(app))
    keys = "\n".join([app.parts.publisher.vkey, one.vkey, two.vkey])

    enough, told = bundles.check_alone(bundle, keys, witnesses=1)
    lacking, why = bundles.check_alone(bundle, keys, witnesses=2)
    unstated, plain = bundles.check_alone(bundle, keys)
    beyond, never = bundles.check_alone(bundle, keys, witnesses=3)
    two.stands(away=False)
    await of(app, app.parts.config.audit).run()
    bundle.write_bytes(await export(app))
    both, all_told = bundles.check_alone(bundle, keys, witnesses=2)

    assert (enough, "level: witnessed" in told) == (0, True), told
    assert lacking == 1
    assert f"1 of the 2 witnesses that you need signed one checkpoint; missing: {two.name}" in why
    assert (unstated, "level: signed" in plain) == (0, True), "all whose keys are given"
    assert f"missing: {two.name}" in plain
    assert beyond == 1
    assert "3 of them cannot be had" in never
    assert (both, "level: witnessed" in all_told) == (0, True), all_told
    assert f"{one.name}, {two.name}" in all_told


async def test_a_cosignature_that_somebody_planted_counts_for_nothing(
    app: App, places: list[Place]
) -> None:
    audit = audit_of(app, places)
    await show(app)
    await of(app, audit).run()
    async with app.parts.guard.begin() as connection:
        forged = "\u2014 witness.example/one " + "A" * 104
        one = audit_cosignature.c.witness == places[0].name
        await connection.execute(update(audit_cosignature).where(one).values(line=forged))

    assert await cosigned(app, audit) == [places[1].name]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_who_rewrote_the_log_with_every_key_gets_no_cosignature_any_more(
    app: App, places: list[Place]
) -> None:
    """Both parties have the same witnesses: of two logs one lacks their word."""
    audit = audit_of(app, places)
    await app.subscribe()
    app.step(DAY)
    await show(app)
    await of(app, audit).run()
    seen = places[0].stands()
    await rewrite_without(app, "consent.confirmed")
    await grown(app)

    with structlog.testing.capture_logs() as lines:
        await of(app, audit).run()

    assert await cosigned(app, audit) == []
    assert {x["event"] for x in lines} == {"witness.disagrees"}
    assert places[0].stands() == seen


async def grown(app: App) -> None:
    """The same operator shows the forged log as if it had grown."""
    parts = app.parts
    async with parts.data.begin() as connection:
        await connection.execute(delete(audit_checkpoint))
    app.step(DAY)
    await public.show(parts.data, parts.log, parts.clock)
    async with parts.data.begin() as connection:
        frontier = await parts.log.frontier(connection)
        forged = Checkpoint(parts.log.first, frontier.size, frontier.root)
        note = checkpoints.sign(forged, parts.keyring.signing.secret.reveal())
        now = await parts.clock.now(connection)
        row = {"size": frontier.size, "note": note, "published_at": now}
        await connection.execute(audit_checkpoint.insert().values(row))


def with_audit(app: App, audit: Audit) -> App:
    """The same gateway with witnesses in its configuration."""
    config = app.parts.config.model_copy(update={"audit": audit})
    object.__setattr__(app.parts, "config", config)
    return app


async def export(app: App) -> bytes:
    pieces = await Exports(app.parts, at_once).of_log(Taking(Form.BUNDLE, Actor.OPERATOR))
    assert pieces is not None
    return b"".join([piece async for piece in pieces.read()])
