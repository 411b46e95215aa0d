"""Whoever makes somebody check a file of theirs learns that it is refused, and costs no memory."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.kinds import Kind
from tests.support import bundles
from tests.support.audit import PUBLISHER
from tests.support.bundles import check_here, one_life, signed, zipped

KEYS = PUBLISHER.vkey
FILES = one_life().files(3)
GOOD = signed(FILES)
_HUGE = 300 * 1024 * 1024


def bomb(name: str) -> Callable[[], bytes]:
    """A good bundle in which one file swells to hundreds of megabytes."""

    def make() -> bytes:
        files, made = bundles.files_of(GOOD), io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
            for other, content in files.items():
                if other != name:
                    opened.writestr(other, content)
            with opened.open(name, "w", force_zip64=True) as file:
                for _ in range(_HUGE >> 20):
                    file.write(b"a" * (1 << 20))
        return made.getvalue()

    return make


def many_files() -> bytes:
    return zipped(bundles.files_of(GOOD) | {f"{n}": b"" for n in range(20_000)})


def said_to_be_few() -> bytes:
    raw = bytearray(many_files())
    raw[-14:-10] = struct.pack("<HH", 1, 1)
    return bytes(raw)


def a_hidden_directory() -> bytes:
    """The end that is looked at says one thing, the larger form before it another."""
    end = struct.pack("<LQHHLLQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 2**40, 2**40, 2**40, 0)
    locator = struct.pack("<LLQL", 0x07064B50, 0, len(GOOD) - 22, 1)
    return GOOD[:-22] + end + locator + GOOD[-22:]


def twice() -> bytes:
    made = io.BytesIO(GOOD)
    with zipfile.ZipFile(made, "a") as opened, pytest.warns(UserWarning):
        opened.writestr("texts.jsonl", b"")
    return made.getvalue()


def packed_otherwise() -> bytes:
    return zipped(bundles.files_of(GOOD), zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(bomb("manifest.note"), "manifest.note: is longer", id="a list that swells"),
        pytest.param(bomb("texts.jsonl"), "texts.jsonl: is longer", id="a file that swells"),
        pytest.param(bomb("log/1/entries.jsonl"), "entries.jsonl: is longer", id="a log, too"),
        pytest.param(many_files, "too many files", id="many files"),
        pytest.param(said_to_be_few, "was added", id="many that are said to be one"),
        pytest.param(a_hidden_directory, "the bundle", id="a hidden directory"),
        pytest.param(twice, "twice", id="a file twice"),
        pytest.param(packed_otherwise, "cannot be read", id="packed otherwise"),
        pytest.param(lambda: b"", "is empty", id="nothing"),
        pytest.param(lambda: GOOD[:-1], "cut off", id="cut off"),
        pytest.param(lambda: GOOD[:40] + GOOD[80:], "", id="a piece is missing"),
        pytest.param(lambda: GOOD[-22:], "cannot be read", id="an end alone"),
    ],
)
def test_a_hostile_file_is_refused_in_little_memory(make: Callable[[], bytes], says: str) -> None:
    raw = make()
    tracemalloc.start()
    begun = time.process_time()
    try:
        sound, said = check_here(raw, KEYS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (sound, says in said) == (False, True), said
    assert most < 24 << 20
    assert time.process_time() - begun < 5


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_that_are_changed_anywhere_are_refused_or_change_nothing(data: st.DataObject) -> None:
    """In the zip itself: names and times of files are not what is proved."""
    at = data.draw(st.integers(0, len(GOOD) - 1))
    raw = bytearray(GOOD)
    raw[at : at + data.draw(st.integers(1, 8))] = data.draw(st.binary(max_size=8))

    sound, said = check_here(bytes(raw), KEYS)

    assert said.startswith("FAILED: ") != sound


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_whatever_who_has_the_key_signs_is_judged(data: st.DataObject) -> None:
    """Random lines in random files, in a list that is signed: nothing but a verdict comes out."""
    name = data.draw(st.sampled_from(sorted(FILES)))
    lines = FILES[name].splitlines()
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
        max_leaves=6,
    )
    new = data.draw(st.binary(max_size=40) | st.builds(as_line, values))
    at = data.draw(st.integers(0, max(0, len(lines) - 1)))
    lines[at : at + data.draw(st.integers(0, 2))] = [new]

    _, said = check_here(signed(FILES | {name: bundles.lines(lines)}), KEYS)

    assert said


def lines_of(*openings: dict[str, object]) -> bytes:
    """A bundle of who has the key, with these lines about the entry 2 of one life."""
    lines = (as_line({"log": 1, "index": 2} | one) for one in openings)
    return signed(FILES | {"openings.jsonl": bundles.lines(lines)})


@pytest.mark.parametrize("path", [5, 1.5, True, {"a": 1}, "A" * 44])
def test_a_path_that_is_none_is_a_fault_like_any_other(path: object) -> None:
    _, first = FILES["openings.jsonl"].splitlines()[:2]
    line = json.loads(first) | {"path": path}
    files = FILES | {"openings.jsonl": bundles.lines([as_line(line)])}

    sound, said = check_here(signed(files), KEYS)

    assert (sound, said.startswith("FAILED: openings.jsonl")) == (False, True), said


@pytest.mark.parametrize("number", range(6))
def test_what_an_entry_commits_to_is_disclosed_once(number: int) -> None:
    """Else more is opened, or withheld, than there is."""
    lines = FILES["openings.jsonl"].splitlines()
    withheld = json.loads(lines[number])
    if "position" not in withheld:
        del withheld["opened"]
        withheld |= {"subject": "sub_ada", "why": "left out"}
    lines[number : number + 1] = [as_line(withheld)] * 2

    sound, said = check_here(signed(FILES | {"openings.jsonl": bundles.lines(lines)}), KEYS)

    assert (sound, "twice" in said) == (False, True), said


def holes() -> bytes:
    """Each event says that a hundred thousand others of the person came before it."""
    story = one_life()
    for _ in range(20):
        story._place = replace(story._place, length=story._place.length + 99_999)
        story.person(Kind.SUBJECT_RECTIFIED, what="profile")
    return signed(story.files())


def long_names(key: str, size: int) -> Callable[[], bytes]:
    """Whom lines are about: names of megabytes, which a zip packs in next to nothing."""

    def make() -> bytes:
        lines = [{"compartment": "evidence", key: f"{n}{'a' * size}", "why": "x"} for n in range(9)]
        return lines_of(*lines)

    return make


def mails_that_swell() -> bytes:
    """A specimen of a megabyte that asks for a value of megabytes tens of thousands of times."""
    letter = as_line({"pieces": [["7bit", ["", "confirm"] * 60_000 + [""]]]})
    digest, story = sha256(letter).hexdigest(), one_life()
    made = {"specimen": f"sha256:{digest}", "values": {"confirm": "a" * 2_000_000}}
    story.person(Kind.CONSENT_MAIL_SENT, consent="con_1", purpose="newsletter", made_of=made)
    return signed(story.files() | {f"specimens/{digest}": letter})


def long_tokens() -> bytes:
    """What confirmed is kept until the end."""
    story = one_life()
    for number in range(20):
        consent = {"consent": f"con_x{number}", "purpose": "newsletter"}
        story.person(Kind.CONSENT_CONFIRMED, token=f"{number}{'a' * 2_500_000}", **consent)
    return signed(story.files() | {f"specimens/{'0' * 64}": b"refused last of all"})


def long_notices() -> bytes:
    lines = (as_line({"notice": f"{n}{'a' * 900_000}"}) for n in range(60))
    return signed(FILES | {"texts.jsonl": bundles.lines(lines)})


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(holes, id="holes"),
        pytest.param(long_names("subject", 4_000_000), id="names of people"),
        pytest.param(long_notices, id="names of notices"),
        pytest.param(mails_that_swell, id="mails that swell"),
        pytest.param(long_tokens, id="links that confirmed"),
    ],
)
def test_what_who_has_the_key_signs_costs_little_too(make: Callable[[], bytes]) -> None:
    raw = make()
    begun = time.process_time()
    assert not check_here(raw, KEYS)[0]
    took = time.process_time() - begun
    tracemalloc.start()
    try:
        check_here(raw, KEYS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (most < 40 << 20, took < 3) == (True, True), (most, took)


WORDS = st.sampled_from(
    ["compartment", "index", "log", "opened", "path", "position", "subject", "notice", "x"]
)


def as_line(value: object) -> bytes:
    return json.dumps(value).encode()
