"""Whoever has a key of the log that another followed leads nobody to a log of their own.

They have the bundles that were handed out, too, and with them each honest handover.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest

from audit import checkpoints, handovers, succession
from audit.canonical import canonical, encode
from audit.checkpoints import Checkpoint, Verifier
from audit.export.jsonl import FORMAT, check_jsonl
from audit.handovers import Handover
from audit.kinds import Kind
from audit.report import Report
from audit.tree import leaf_hash, root_of
from storage.secret import Secret
from tests.support import bundles
from tests.support.audit import LOG
from tests.support.bundles import Story, check_here

RETIRED, NEW, OWN = (Secret(sha256(name).digest()) for name in (b"old", b"new", b"of the thief"))
HONEST = handovers.hand_over(RETIRED, NEW)
FORGED = handovers.hand_over(RETIRED, OWN)
MADE_UP = handovers.hand_over(OWN, RETIRED)  # as if it had been there before
PLACE = 9  # of the honest entry that let the new key follow


def vkey(seed: Secret, name: str = LOG.first) -> str:
    return checkpoints.vkey(name, seed.reveal())


SPANS = f"# from 0 until {PLACE}\n{vkey(RETIRED)}\n# from {PLACE + 1}\n{vkey(NEW)}"
BOTH = f"{vkey(RETIRED)}\n{vkey(NEW)}"


def history(covers: int, *told: Handover) -> Story:
    story = Story()
    story.nobody(Kind.LOG_OPENED)
    for one in told:
        story.nobody(Kind.KEY_ROTATED, **one.refs(2))
    for _ in range(covers):
        story.nobody(Kind.LOG_COVER)
    return story


def successor(closed: Story) -> Story:
    root = encode(root_of([leaf_hash(entry) for entry in closed.entries]))
    size = str(len(closed.entries))
    story = Story()
    story.nobody(Kind.LOG_OPENED, predecessor="1", size=size, root=root, cause="restored")
    for _ in range(20):
        story.nobody(Kind.LOG_COVER)
    return story


def note(story: Story, seed: Secret, number: int = 1, size: int | None = None) -> str:
    leaves = [leaf_hash(entry) for entry in story.entries[:size]]
    origin = succession.name_of(LOG.first, number)
    return checkpoints.sign(Checkpoint(origin, len(leaves), root_of(leaves)), seed.reveal())


def files_of(logs: Sequence[Story], seeds: Sequence[Secret]) -> dict[str, bytes]:
    files = {}
    for number, (story, seed) in enumerate(zip(logs, seeds, strict=True), 1):
        files[f"log/{number}/checkpoint"] = note(story, seed, number).encode()
        files[f"log/{number}/entries.jsonl"] = bundles.lines(story.entries)
    return files


def judged(
    files: dict[str, bytes], by: Secret, keys: str, *told: Handover, held: Sequence[str] = ()
) -> tuple[bool, str]:
    """What `verify_audit.py` says of a bundle whose list *by* signs."""

    def sign(text: str) -> str:
        return checkpoints.sign_text(text, f"{LOG.first}/export", by.reveal())

    told_of = bundles.lines(canonical(one.note) for one in told)
    return check_here(bundles.signed(files | {"handovers.jsonl": told_of}, sign), keys, held)


def checked(verifier: Verifier, story: Story, seed: Secret) -> Report:
    """What `gateway audit verify` says of the same log as lines."""
    lines = [canonical({"format": FORMAT, "origin": LOG.first}) + b"\n"]
    for at, entry in enumerate(story.entries):
        lines.append(canonical({"entry": entry.decode(), "index": at}) + b"\n")
    return check_jsonl([*lines, canonical({"checkpoint": note(story, seed)}) + b"\n"], verifier)


@pytest.mark.parametrize("size", [3, 20])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param([MADE_UP], id="as one that was there before"),
        pytest.param([MADE_UP, HONEST], id="and the honest one"),
        pytest.param([HONEST, MADE_UP], id="behind the honest one"),
        pytest.param([FORGED], id="as the next"),
        pytest.param([FORGED, HONEST], id="as the next, before the honest one"),
        pytest.param([HONEST, FORGED], id="as the next, behind the honest one"),
    ],
)
@pytest.mark.parametrize(
    "keys", [SPANS, BOTH, vkey(NEW)], ids=["all keys with their spans", "all keys", "the new one"]
)
def test_nobody_is_led_to_a_key_of_the_thief_s(
    keys: str, told: Sequence[Handover], size: int
) -> None:
    sound, said = judged(files_of([history(size)], [OWN]), OWN, keys, *told)

    assert not sound, said


def test_who_has_the_new_key_alone_is_not_led_back_to_the_retired_one() -> None:
    """The honest handover lies in every bundle."""
    for size in (3, 20):
        sound, said = judged(files_of([history(size)], [RETIRED]), RETIRED, vkey(NEW), HONEST)
        assert (sound, "yours followed" in said) == (False, True), said


def test_what_the_retired_key_signed_in_its_time_is_compared_by_who_has_the_new_one() -> None:
    story = history(20, HONEST)
    older = {"log/1/checkpoints.jsonl": canonical(note(story, RETIRED, size=1)) + b"\n"}
    files = files_of([story], [NEW]) | older

    for keys in (vkey(NEW), vkey(RETIRED), BOTH):
        sound, said = judged(files, NEW, keys, HONEST, held=[note(story, RETIRED, size=1)])
        assert (sound, "level: held outside" in said) == (True, True), said
    other = history(20, HONEST, HONEST)
    forged = {"log/1/checkpoints.jsonl": canonical(note(other, RETIRED, size=3)) + b"\n"}
    assert not judged(files | forged, NEW, vkey(NEW), HONEST)[0]


def test_a_log_that_was_closed_under_the_retired_key_is_what_its_successor_says() -> None:
    closed = history(3)
    files = files_of([closed, successor(closed)], [RETIRED, NEW])

    sound, said = judged(files, NEW, vkey(NEW), HONEST)

    assert sound, said
    assert not judged(files | files_of([history(4)], [RETIRED]), NEW, vkey(NEW), HONEST)[0]


@pytest.mark.parametrize("manifest", [RETIRED, OWN], ids=["by itself", "by one of the thief's"])
def test_the_retired_key_signs_no_successor_of_the_log_that_it_ended_in(manifest: Secret) -> None:
    closed = history(3)
    files = files_of([closed, successor(closed)], [RETIRED, manifest])

    sound, said = judged(files, manifest, SPANS, MADE_UP, HONEST)

    assert not sound, said


def test_nor_one_beside_a_successor_that_another_key_has() -> None:
    closed = history(3)
    keys = f"{vkey(RETIRED)}\n{vkey(NEW)}\n"
    of_two = f"{LOG.first}/2"
    keys += f"# from 0 until 4\n{vkey(RETIRED, of_two)}\n# from 5\n{vkey(NEW, of_two)}"
    second = successor(closed)
    third = Story()
    root = encode(root_of([leaf_hash(entry) for entry in second.entries]))
    size = str(len(second.entries))
    third.nobody(Kind.LOG_OPENED, predecessor="1", size="4", root=root, cause="restored")
    third.nobody(Kind.LOG_CLOSED, predecessor="2", size=size, root=root, cause="restored")
    files = files_of([closed, second, third], [RETIRED, NEW, RETIRED])

    sound, said = judged(files, RETIRED, keys, HONEST)

    assert (sound, "log/3" in said or "manifest" in said) == (False, True), said


def test_the_retired_key_puts_together_no_bundle_of_what_the_new_one_signed() -> None:
    """With files beside the log that nothing checks, and without the entry that retired it."""
    story = history(20, HONEST)
    leaves = [leaf_hash(entry) for entry in story.entries]
    hidden = [
        22,
        *map(encode, (root_of(leaves[:16]), root_of(leaves[16:20]), root_of(leaves[20:]))),
    ]
    files = files_of([story], [NEW]) | {"evidence.json": b"{}\n"}
    files["log/1/entries.jsonl"] = canonical(hidden) + b"\n"
    assert judged(files, NEW, SPANS)[0]

    sound, said = judged(files, RETIRED, SPANS)

    assert (sound, "manifest" in said) == (False, True), said


def test_what_only_the_retired_key_vouches_for_is_told_as_that() -> None:
    for keys in (SPANS, BOTH):
        sound, said = judged(files_of([history(3)], [RETIRED]), RETIRED, keys, HONEST)
        assert (sound, f"whoever holds, or ever held, an older key of {LOG.first}" in said) == (
            True,
            True,
        )
    assert "ever held" not in judged(files_of([history(3)], [NEW]), NEW, SPANS, HONEST)[1]


def test_an_export_as_lines_leads_nobody_there_either() -> None:
    """By the keys of the gateway's own log, which knows where each was followed."""
    known = Verifier(vkey(RETIRED), vkey(NEW), followed={HONEST.before: PLACE})

    assert checked(known, history(20, HONEST), NEW).ok
    before = checked(known, history(3), RETIRED)  # made before the key was followed
    assert (before.ok, [one for one in before.gaps if "ever held" in one] != []) == (True, True)
    assert checked(known, history(3), NEW).gaps == ()
    assert not checked(known, history(20), RETIRED).ok
    assert not checked(known, history(20, FORGED), OWN).ok
    assert not checked(known, history(3, FORGED), OWN).ok


def test_of_several_keys_that_somebody_gives_only_the_newest_signs_another_in() -> None:
    given = Verifier(vkey(RETIRED), vkey(NEW))

    assert not checked(given, history(3, FORGED), OWN).ok
    third = handovers.hand_over(NEW, OWN)
    assert checked(given, history(3, HONEST, third), OWN).ok
    alone = Verifier(vkey(RETIRED))
    assert not checked(alone, history(3, HONEST, FORGED), OWN).ok
