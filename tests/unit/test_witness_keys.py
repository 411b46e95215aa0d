"""Keys and words of witnesses, as C2SP tlog-cosignature writes them."""

from __future__ import annotations

import pytest

from audit import checkpoints, witnesses
from audit.errors import NoteError
from audit.witnesses import Witness
from tests.support.audit import VECTORS
from tests.unit.test_verify_audit import vkey_of_witness

GIVEN = VECTORS["checkpoint"]
COSIGNED = VECTORS["cosignature"]


def test_the_vector_is_read_and_says_when() -> None:
    witness = Witness(vkey_of_witness())

    found = witnesses.answered(witness, GIVEN["note"], COSIGNED["line"] + "\n")

    assert found is not None
    assert (found.witness, found.at.timestamp()) == (COSIGNED["name"], COSIGNED["time"])
    note = witnesses.attached(GIVEN["note"], [found])
    assert checkpoints.verify(note, GIVEN["vkey"])
    assert witnesses.text_of(note) == witnesses.text_of(GIVEN["note"])


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no signature line\n",
        COSIGNED["line"].replace("A", "B") + "\n",
        COSIGNED["line"].replace(COSIGNED["name"], "somebody.else") + "\n",
        GIVEN["note"].rpartition("\n\n")[2],
        "\n" * 100_000 + COSIGNED["line"] + "\n",
    ],
    ids=["nothing", "no line", "altered", "of another", "of the log", "behind too much"],
)
def test_anything_else_is_no_word_of_that_witness(said: str) -> None:
    assert witnesses.answered(Witness(vkey_of_witness()), GIVEN["note"], said) is None


def test_of_another_checkpoint_it_is_no_word() -> None:
    other = GIVEN["note"].replace("\n7\n", "\n8\n")

    assert witnesses.answered(Witness(vkey_of_witness()), other, COSIGNED["line"] + "\n") is None


@pytest.mark.parametrize("vkey", ["", "a+b+c", GIVEN["vkey"], "x" + vkey_of_witness()])
def test_what_is_no_key_of_a_witness_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Witness(vkey)


def test_a_question_is_as_the_protocol_has_it() -> None:
    asked = witnesses.question(3, [bytes(32), b"\1" * 32], "text\n\n\u2014 a b\n")

    lines = asked.split("\n")
    assert lines[0] == "old 3"
    assert [len(one) for one in lines[1:3]] == [44, 44]
    assert lines[3:5] == ["", "text"]
