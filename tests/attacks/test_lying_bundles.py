"""A bundle whose signature fits, by who has the log's key, convinces nobody of what is not so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256

import pytest

from audit import checkpoints, succession
from audit.canonical import canonical, encode
from audit.checkpoints import Checkpoint
from audit.export.jsonl import FORMAT, check_jsonl
from audit.kinds import Kind
from audit.report import Level
from audit.tree import leaf_hash, root_of
from gateway.look import verifying
from tests.support import bundles
from tests.support.audit import LOG, MOMENT, PUBLISHER
from tests.support.bundles import Story, check_here, signed
from tests.unit.test_verify_audit import cosigned, vkey_of_witness

KEYS = f"{PUBLISHER.vkey}\n{vkey_of_witness()}"


def history(covers: int) -> Story:
    story = Story()
    story.nobody(Kind.LOG_OPENED)
    for _ in range(covers):
        story.nobody(Kind.LOG_COVER)
    return story


def ending(generation: int, story: Story, **more: str) -> dict[str, str]:
    """What a successor says of a log that ends as *story* does."""
    root = encode(root_of([leaf_hash(entry) for entry in story.entries]))
    said = {"predecessor": str(generation), "size": str(len(story.entries)), "root": root}
    return said | {"cause": "restored"} | more


def note(generation: int, story: Story) -> str:
    leaves = [leaf_hash(entry) for entry in story.entries]
    name = succession.name_of(LOG.first, generation)
    seed = sha256(b"TEST-SIGNING-KEY").digest()
    return checkpoints.sign(Checkpoint(name, len(leaves), root_of(leaves)), seed)


def judged(*logs: Story, held: Sequence[str] = ()) -> tuple[bool, str]:
    """What both verifiers say of these logs, by the keys of who checks; they agree."""
    files = {}
    for number, one in enumerate(logs, 1):
        files[f"log/{number}/checkpoint"] = note(number, one).encode()
        files[f"log/{number}/entries.jsonl"] = bundles.lines(one.entries)
    sound, said = check_here(signed(files), KEYS, held)
    report = check_jsonl(as_lines(logs), PUBLISHER.verifier, held)
    assert report.ok == sound, (said, report)
    return sound, said


def as_lines(logs: Sequence[Story]) -> Iterator[bytes]:
    for number, one in enumerate(logs, 1):
        yield canonical({"format": FORMAT, "origin": succession.name_of(LOG.first, number)}) + b"\n"
        for at, entry in enumerate(one.entries):
            yield canonical({"entry": entry.decode(), "index": at}) + b"\n"
        yield canonical({"checkpoint": note(number, one)}) + b"\n"


def test_what_a_witness_saw_of_the_log_that_was_says_nothing_of_one_written_anew() -> None:
    """The honest log's checkpoint, with its cosignature, lies in a bundle of another history."""
    honest, anew = history(20), history(3)
    seen = cosigned(honest.note(), int(MOMENT.timestamp()) + 60)
    older = canonical(seen) + b"\n"

    sound, said = check_here(signed(anew.files() | {"log/1/checkpoints.jsonl": older}), KEYS)

    assert (sound, "checkpoints.jsonl" in said) == (False, True), said


@pytest.mark.parametrize("generation", [1, 2])
def test_no_log_says_of_itself_that_it_lost_what_a_kept_checkpoint_covers(generation: int) -> None:
    """Else who has the key begins anew wherever they like, and still passes as `held outside`."""
    before, anew = [history(3)][: generation - 1], Story()
    for one in before:
        anew.nobody(Kind.LOG_OPENED, **ending(1, one))
    anew.nobody(Kind.LOG_CLOSED, **ending(generation, Story(), size="999"))
    anew.nobody(Kind.LOG_COVER)

    sound, said = judged(*before, anew, held=[note(generation, history(20))])

    assert not sound, said


def gap(anew: Story, guard: Story) -> Story:
    """The successor of a log that ends as *anew* does, though the guard stood as *guard* says."""
    signature = note(1, guard).rstrip("\n").rsplit(" ", 1)[-1]
    size, root = note(1, guard).split("\n")[1:3]
    stood = {"guard": size, "guard_root": root, "guard_signature": signature}
    story = Story()
    story.nobody(Kind.LOG_OPENED, **ending(1, anew, **stood))
    return story


def test_two_roots_of_one_size_convict_though_the_entries_are_said_to_be_lost() -> None:
    honest, other = history(20), history(20)
    other.entries[7] = other.entries[8]
    left = history(3)

    assert judged(left, gap(left, honest), held=[note(1, honest)])[0]
    sound, said = judged(left, gap(left, other), held=[note(1, honest)])
    assert not sound, said
    sound, said = judged(left, gap(left, history(30)), held=[note(1, honest), note(1, other)])
    assert not sound, said


def test_who_kept_a_checkpoint_of_what_was_lost_is_told_that_nothing_bears_it_out() -> None:
    left, kept = history(3), note(1, history(20))
    after = gap(left, history(30))

    report = check_jsonl(as_lines([left, after]), PUBLISHER.verifier, [kept])
    sound, said = judged(left, after, held=[kept])

    assert (sound, report.level) == (True, Level.SIGNED)
    says = "your checkpoint of size 21 covers lost entries: it was compared with nothing"
    assert (says in said, [one for one in report.gaps if says in one] != []) == (True, True)


def test_no_beginning_in_the_middle_of_a_log_lets_time_run_backwards() -> None:
    """It would make room for an entry of any date."""
    for kind in (Kind.LOG_OPENED, Kind.LOG_CLOSED):
        story = history(3)
        story.nobody(kind)
        story.at = MOMENT - timedelta(days=300)
        story.nobody(Kind.LOG_COVER)

        sound, said = judged(story)

        assert (sound, "entry 5" in said) == (False, True), said


def test_what_an_entry_says_twice_is_said_to_nobody() -> None:
    """Each reader takes another of the two: so two are shown two logs under one checkpoint."""
    story = history(3)
    story.nobody(Kind.TEXT_PUBLISHED, text="sha256:" + "0" * 64)
    said_twice = story.entries[4].replace(b'"rf":{', b'"rf":{"text":"sha256:' + b"1" * 64 + b'",')
    story.entries[4] = said_twice
    sound, said = check_here(signed(story.files()), KEYS)
    assert (sound, "something twice" in said) == (False, True), said

    life = bundles.one_life()
    agreed = life.entries[4]
    start = agreed.index(b'"evidence":"')
    other = agreed[start : start + 12] + b"A" * 43 + b'=",'
    life.entries[4] = agreed[:start] + other + agreed[start:]
    sound, said = check_here(signed(life.files()), KEYS)
    assert (sound, "commits to something twice" in said) == (False, True), said

    key = history(3)
    key.nobody(Kind.KEY_ROTATED, number="2", state="signed_in")
    key.entries[4] = key.entries[4].replace(b'"state"', b'"state":"active","state"')
    assert not judged(key)[0]


@pytest.mark.parametrize("twice", [b'{"a":1,"a":2}', b'{"a" :1,"a":2}', b'{"b":{"a":1,"a":1}}'])
def test_facts_that_say_something_twice_are_no_facts(twice: bytes) -> None:
    verifier = verifying.module()

    assert verifier.parsed_once(b'{"a":"say \\"x\\": y","b":{"c":[{"d":1}]}}', "x", 0)["b"]
    with pytest.raises(verifier.Fault, match="twice"):
        verifier.parsed_once(twice, "x", 0)
