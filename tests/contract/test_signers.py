"""The log's key is followed by another, in the same log, while several processes publish."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from audit import checkpoints
from audit.canonical import canonical
from audit.checkpoints import Checkpoint, Verifier
from audit.errors import KeyUnknown, NoteError
from audit.export.jsonl import check_jsonl, jsonl
from audit.kinds import Actor
from audit.report import Level
from audit.signers import Span
from audit.tables import audit_checkpoint, audit_guard
from consent.keys.set_phases import RESTS
from gateway.errors import KeyFileError
from gateway.flows.proving import verify
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.keyfiles import keyring
from storage.errors import StorageAway
from tests.support import bundles
from tests.support.apps import App, start_app
from tests.support.audit import LOG
from tests.support.rotations import Node, copy_keyring, machine, set_states

A_DAY_LATER = RESTS + timedelta(minutes=1)
BOB = "bob@example.org"
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def keep(node: Node) -> None:
    await node.keep()  # it says what it holds
    while await node.keep():
        pass


async def rotated(app: App) -> Node:
    """A second key that signs what is published from here on."""
    node = Node(app)
    await keep(node)
    assert await node.sets.begin("signing") == 2
    await keep(node)
    assert await set_states(app, "signing") == {1: "retiring", 2: "active"}
    await app.tick()
    return node


async def notes_of(app: App) -> list[str]:
    async with app.parts.data.read() as connection:
        query = select(audit_checkpoint.c.note).order_by(audit_checkpoint.c.size)
        return list((await connection.execute(query)).scalars())


def of_today(app: App) -> list[str]:
    return keyring.load(app.parts.config.keys.keyring).signers(app.parts.log.first).verifier.vkeys


def signed_by(note: str, *vkeys: str) -> list[int]:
    """Which of the keys signed it."""
    found = []
    for number, vkey in enumerate(vkeys, 1):
        try:
            Verifier(vkey).checkpoint(note)
        except NoteError:
            continue
        found.append(number)
    return found


async def bundle_of(app: App) -> bytes:
    taken = await Exports(app.parts, at_once).of_log(Taking(Form.BUNDLE, Actor.OPERATOR))
    assert taken is not None
    return b"".join([piece async for piece in taken.read()])


async def lines_of(app: App) -> list[bytes]:
    parts = app.parts
    raw = [part async for part in jsonl(parts.data, parts.log, parts.publisher.verifier)]
    return b"".join(raw).splitlines(keepends=True)


@SELDOM_ON_BOTH
async def test_the_old_key_signs_the_next_one_in_and_everybody_follows(app: App) -> None:
    await app.subscribe()
    await app.tick()
    old = of_today(app)
    kept = (await notes_of(app))[-1]

    node = await rotated(app)
    await app.subscribe(BOB)
    await app.tick()

    vkeys = of_today(app)
    assert (vkeys[:1], len(vkeys)) == (old, 2)
    notes = await notes_of(app)
    assert (signed_by(kept, *vkeys), signed_by(notes[-1], *vkeys)) == ([1], [2])
    found = await verify.verify(app.parts, [kept])
    assert (found.ok, found.report.level) == (True, Level.HELD_OUTSIDE)
    raw = await bundle_of(app)
    for keys in (old, vkeys[1:], vkeys):  # whichever of them somebody knows
        sound, said = bundles.check_here(raw, "\n".join(keys), [kept])
        assert (sound, "level: held outside" in said) == (True, True), said
    report = check_jsonl(await lines_of(app), Verifier(*old), [kept])
    assert (report.ok, report.level) == (True, Level.HELD_OUTSIDE)

    app.step(A_DAY_LATER)
    await keep(node)
    assert await set_states(app, "signing") == {1: "destroyed", 2: "active"}
    assert of_today(app) == vkeys  # what it signed can be checked for ever
    assert app.parts.keyring.signing.get(1) is None
    await app.subscribe("cleo@example.org")
    await app.tick()
    assert (await verify.verify(app.parts, [kept])).ok
    async with start_app(app.parts.config, app.parts.clock) as later:
        await later.subscribe("dora@example.org")
        await later.tick()
        assert bundles.check_here(await bundle_of(later), old[0], [kept])[0]


@SELDOM_ON_BOTH
async def test_the_old_key_stays_until_a_checkpoint_was_signed_by_the_next(app: App) -> None:
    node = Node(app)
    await keep(node)
    await node.sets.begin("signing")
    await keep(node)

    app.step(A_DAY_LATER)
    await keep(node)

    held = await node.sets.held(await node.sets.look())
    assert [*held.values()] == [["the log, until a checkpoint of it is signed by the next"]]
    assert app.parts.keyring.signing.get(1) is not None
    await app.tick()
    app.step(timedelta(minutes=61))
    await keep(node)
    assert await set_states(app, "signing") == {1: "destroyed", 2: "active"}


@SELDOM_ON_BOTH
async def test_a_process_that_lacks_the_key_signs_nothing_behind_the_entry_that_tells_of_it(
    app: App,
) -> None:
    await app.subscribe()
    await app.tick()
    async with machine(app, "second") as second:
        # It stood still: nobody waits for it.
        node = Node(app)
        await keep(node)
        await node.sets.begin("signing")
        await keep(node)
        async with app.parts.data.begin() as connection:
            await app.parts.log.sequence(connection)  # and ends before it publishes
        before = await notes_of(app)

        with pytest.raises(StorageAway):
            await second.tick()
        assert await notes_of(app) == before

        await app.tick()
        assert signed_by((await notes_of(app))[-1], *of_today(app)) == [2]
        await app.subscribe(BOB)
        with pytest.raises(StorageAway):
            await second.tick()
        copy_keyring(app, second)
        await keep(Node(second))
        await second.tick()
        assert signed_by((await notes_of(app))[-1], *of_today(app)) == [2]
    assert (await verify.verify(app.parts)).ok


@SELDOM_ON_BOTH
async def test_who_starts_without_the_key_is_told_what_to_copy(app: App) -> None:
    config = app.parts.config
    old = config.keys.keyring_file.with_name("old.json")
    copy_keyring(app, old)
    await rotated(app)
    keys = config.keys.model_copy(update={"keyring_file": old})

    with pytest.raises(KeyFileError, match="lacks key signing 2"):
        async with start_app(config.model_copy(update={"keys": keys}), app.parts.clock):
            pass


@SELDOM_ON_BOTH
async def test_a_checkpoint_that_the_old_key_signs_later_counts_for_nobody(app: App) -> None:
    """Whoever stole it may write rows, too."""
    await app.subscribe()
    stolen = app.parts.keyring.signing.secret.reveal()
    await rotated(app)
    newest = (await notes_of(app))[-1]
    size = app.parts.publisher.verifier.checkpoint(newest).size
    forged = checkpoints.sign(Checkpoint(app.parts.log.origin, size, bytes(32)), stolen)
    async with app.parts.data.begin() as connection:
        theirs = audit_checkpoint.c.size == size
        await connection.execute(update(audit_checkpoint).where(theirs).values(note=forged))

    shown = [one.text for one in (await verify.verify(app.parts)).report.findings]

    assert any("signed by a key that another had followed" in text for text in shown), shown
    raw = bundles.files_of(await bundle_of(app))
    assert raw["log/1/checkpoint"] != forged.encode()
    held = await verify.verify(app.parts, [forged])
    assert not held.ok
    altered = raw | {"log/1/checkpoint": forged.encode()}

    def sign(text: str) -> str:
        text = text.replace(LOG.first, app.parts.log.first)
        return checkpoints.sign_text(text, f"{app.parts.log.first}/export", stolen)

    spans = "\n".join(f"# from {one.start} until {one.end}\n{one.vkey}" for one in spans_of(app))
    sound, said = bundles.check_here(bundles.signed(altered, sign), spans)
    assert (sound, "counts up to" in said) == (False, True), said
    theirs_too = [*(await lines_of(app))[:-1], canonical({"checkpoint": forged}) + b"\n"]
    report = check_jsonl(theirs_too, app.parts.publisher.signers.told)
    assert any("another had followed" in one.text for one in report.findings), report


def spans_of(app: App) -> list[Span]:
    return app.parts.publisher.signers.spans(1)


@SELDOM_ON_BOTH
async def test_each_key_is_told_with_the_sizes_that_it_signs(app: App) -> None:
    await app.subscribe()
    await app.tick()
    first, second = spans_of(app), of_today(app)
    assert first == [Span(second[0], 0, None)]

    await rotated(app)

    old, new = of_today(app)
    (one, other) = spans_of(app)
    assert (one.vkey, one.start, other.vkey, other.end) == (old, 0, new, None)
    assert one.end is not None
    assert other.start == one.end + 1
    notes = await notes_of(app)
    for note in notes:
        size = app.parts.publisher.verifier.checkpoint(note).size
        assert signed_by(note, old, new) == [1 if size <= one.end else 2]


@SELDOM_ON_BOTH
async def test_a_guard_that_a_foreign_key_signed_is_told_apart_from_a_log_that_was_changed(
    app: App,
) -> None:
    await app.tick()
    size = (await notes_of(app))[-1]
    foreign = checkpoints.sign(app.parts.publisher.verifier.checkpoint(size), bytes(32))
    async with app.parts.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(note=foreign))

    with pytest.raises(KeyUnknown, match="Copy the newest keyring"):
        await app.tick()


@SELDOM_ON_BOTH
async def test_a_keyring_keeps_how_its_keys_followed_each_other(app: App) -> None:
    await rotated(app)
    path = app.parts.config.keys.keyring_file
    (note,) = keyring.load(path).handovers

    document = json.loads(path.read_text())
    document["handovers"] = [note.replace("handover/v1", "handover/v2")]
    path.write_text(json.dumps(document))

    with pytest.raises(KeyFileError, match="damaged"):
        keyring.load(path)
