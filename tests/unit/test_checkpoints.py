"""Notes and checkpoints are those of C2SP, and are read strictly."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoints
from audit.canonical import encode
from audit.checkpoints import Checkpoint, Verifier
from audit.errors import NoteError
from tests.support.audit import VECTORS

GIVEN = VECTORS["checkpoint"]
SEED = sha256(b"TEST-SIGNING-KEY").digest()
CHECKPOINT = Checkpoint(GIVEN["origin"], 7, bytes.fromhex(VECTORS["roots_hex"]["7"]))


def signed(text: str) -> str:
    return checkpoints.sign_text(text, GIVEN["origin"], SEED)


def test_a_checkpoint_is_signed_as_the_vector_says() -> None:
    assert checkpoints.sign(CHECKPOINT, SEED) == GIVEN["note"]
    assert checkpoints.vkey(GIVEN["origin"], SEED) == GIVEN["vkey"]


def test_the_signed_checkpoint_of_the_vector_is_read() -> None:
    assert checkpoints.verify(GIVEN["note"], GIVEN["vkey"]) == CHECKPOINT


def test_the_example_of_the_standard_verifies() -> None:
    example = VECTORS["signed_note_c2sp_example"]
    text = f"{example['text']}\n— example.com/foo {example['signature_base64']}\n"

    assert Verifier(example["vkey"]).open(text) == example["text"]


def test_a_witness_may_sign_too() -> None:
    witnessed = GIVEN["note"] + VECTORS["cosignature"]["line"] + "\n"

    assert checkpoints.verify(witnessed, GIVEN["vkey"]) == CHECKPOINT


@given(st.integers(0, len(GIVEN["note"]) - 1), st.characters(codec="utf-8"))
def test_no_character_can_be_changed(at: int, other: str) -> None:
    changed = GIVEN["note"][:at] + other + GIVEN["note"][at + 1 :]

    if changed != GIVEN["note"]:
        with pytest.raises(NoteError):
            checkpoints.verify(changed, GIVEN["vkey"])


@given(st.text())
def test_random_text_raises_only_its_own_error(text: str) -> None:
    for read in (checkpoints.parse, lambda one: checkpoints.verify(one, GIVEN["vkey"]), Verifier):
        with pytest.raises(NoteError):
            read(text)


@given(st.integers(0, 10**15), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("a.example/log", size, root)

    assert checkpoints.parse(checkpoints.format(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{GIVEN['origin']}\n07\n{encode(bytes(32))}\n", id="leading zero"),
        pytest.param(f"{GIVEN['origin']}\n-7\n{encode(bytes(32))}\n", id="negative"),
        pytest.param(
            f"{GIVEN['origin']}\n٧\n{encode(bytes(32))}\n", id="a digit that is not ASCII"
        ),
        pytest.param(f"{GIVEN['origin']}\n7\n{encode(bytes(31))}\n", id="short root"),
        pytest.param(f"{GIVEN['origin']}\n7\n{'A' * 42}B=\n", id="stray bits"),
        pytest.param(f"{GIVEN['origin']}\n7\n{encode(bytes(32))}\nmore\n", id="extension"),
        pytest.param(f"{GIVEN['origin']}\n7\n", id="no root"),
        pytest.param(f"a b\n7\n{encode(bytes(32))}\n", id="origin with a space"),
    ],
)
def test_a_signature_does_not_help_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.verify(signed(text), GIVEN["vkey"])


def test_a_key_signs_for_its_own_log_only() -> None:
    other = checkpoints.format(Checkpoint("other.example/log", 1, bytes(32)))

    with pytest.raises(NoteError, match="another log"):
        checkpoints.verify(signed(other), GIVEN["vkey"])


def test_another_key_of_the_same_name_is_not_believed() -> None:
    forged = checkpoints.sign(CHECKPOINT, sha256(b"another").digest())

    with pytest.raises(NoteError, match="not signed"):
        checkpoints.verify(forged, GIVEN["vkey"])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "ä"], ids=repr)
def test_a_name_that_no_note_can_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="note"):
        checkpoints.sign_text("text\n", name, SEED)
