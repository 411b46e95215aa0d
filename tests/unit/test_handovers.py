"""One key of the log signs in the next; nobody else can."""

from __future__ import annotations

from hashlib import sha256

import pytest

from audit import checkpoints, handovers
from audit.checkpoints import Checkpoint, Verifier
from audit.errors import NoteError, SignerUnknown
from storage.secret import Secret

OLD, NEW, OTHER = (Secret(sha256(name).digest()) for name in (b"old", b"new", b"other"))
HANDOVER = handovers.hand_over(OLD, NEW)
BY_OTHER = handovers.hand_over(OTHER, NEW).refs(2)
TO_OTHER = handovers.hand_over(OLD, OTHER).refs(2)
ORIGIN = "gw.example.org/audit"


def verifier(*seeds: Secret) -> Verifier:
    return Verifier(*(checkpoints.vkey(ORIGIN, seed.reveal()) for seed in seeds))


def note(size: int, seed: Secret, origin: str = ORIGIN) -> str:
    return checkpoints.sign(Checkpoint(origin, size, bytes(32)), seed.reveal())


def test_a_handover_is_read_as_it_was_written() -> None:
    assert handovers.read(HANDOVER.note) == HANDOVER
    assert handovers.of_refs(HANDOVER.refs(2)) == HANDOVER


def test_an_entry_of_another_rotation_says_nothing_of_it() -> None:
    assert handovers.of_refs({"kind": "signing", "number": "2", "state": "active"}) is None
    assert handovers.of_refs({"kind": "kek", "number": "2", "state": "signed_in"}) is None


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"key": TO_OTHER["key"]}, id="another key"),
        pytest.param({"before": BY_OTHER["before"]}, id="by another"),
        pytest.param({"signature": HANDOVER.refs(2)["countersignature"]}, id="not by the old one"),
        pytest.param({"countersignature": HANDOVER.refs(2)["signature"]}, id="not by the new one"),
        pytest.param({"key": "AAAA"}, id="no key"),
        pytest.param({"key": "?"}, id="no base64"),
    ],
)
def test_an_altered_handover_is_none(altered: dict[str, str]) -> None:
    with pytest.raises(NoteError):
        handovers.of_refs(HANDOVER.refs(2) | altered)


def test_a_handover_without_its_signatures_is_none() -> None:
    refs = HANDOVER.refs(2)
    for missing in ("before", "key", "signature", "countersignature"):
        with pytest.raises(NoteError):
            handovers.of_refs({name: said for name, said in refs.items() if name != missing})
    with pytest.raises(NoteError):
        handovers.read("consentgw/audit/handover/v1\n")


def test_a_note_that_was_checked_before_a_key_was_known_is_checked_by_that_key_too() -> None:
    """Of two signatures the one that its reader did not know was not looked at."""
    known = verifier(OLD)
    text, _, by_old = note(7, OLD).partition("\n\n")
    by_new = note(6, NEW).partition("\n\n")[2]  # over something else
    both = f"{text}\n\n{by_new}{by_old}"
    assert known.checkpoint(both).size == 7

    handovers.follow(known, HANDOVER.refs(2), 7)

    with pytest.raises(NoteError, match="wrong"):
        known.checkpoint(both)


def test_who_trusts_the_old_key_follows_it_and_no_further_than_the_entry_says() -> None:
    known = verifier(OLD)
    with pytest.raises(SignerUnknown):
        known.checkpoint(note(8, NEW))

    handovers.follow(known, HANDOVER.refs(2), 7)

    assert known.checkpoint(note(8, NEW)).size == 8
    assert known.checkpoint(note(7, OLD)).size == 7
    assert known.checkpoint(note(3, NEW)).size == 3  # the newer one counts for what is older, too
    with pytest.raises(NoteError, match="another had followed"):
        known.checkpoint(note(8, OLD))
    successor = known.of(2)
    assert successor.checkpoint(note(1, NEW, f"{ORIGIN}/2")).size == 1
    with pytest.raises(NoteError, match="another had followed"):
        successor.checkpoint(note(1, OLD, f"{ORIGIN}/2"))


def test_the_first_entry_that_hands_over_counts() -> None:
    known = verifier(OLD, NEW)

    handovers.follow(known, HANDOVER.refs(2), 7)
    handovers.follow(known, HANDOVER.refs(2), 9)

    with pytest.raises(NoteError, match="another had followed"):
        known.checkpoint(note(8, OLD))


def test_a_stranger_signs_nobody_in() -> None:
    known = verifier(OLD)

    handovers.follow(known, handovers.hand_over(OTHER, NEW).refs(2), 7)

    assert known.vkeys == verifier(OLD).vkeys
    assert known.checkpoint(note(8, OLD)).size == 8
    with pytest.raises(SignerUnknown):
        known.checkpoint(note(8, NEW))


def test_what_a_file_says_of_keys_is_said_to_whoever_reads_it_alone() -> None:
    known = verifier(OLD, NEW)

    handovers.follow(known.afresh(), HANDOVER.refs(2), 7)

    assert known.checkpoint(note(8, OLD)).size == 8


def test_keys_of_two_logs_are_no_verifier() -> None:
    with pytest.raises(NoteError, match="several logs"):
        Verifier(
            checkpoints.vkey(ORIGIN, OLD.reveal()), checkpoints.vkey("other/log", NEW.reveal())
        )


def test_a_statement_is_no_checkpoint_and_a_checkpoint_no_statement() -> None:
    with pytest.raises(NoteError):
        verifier(OLD).open(HANDOVER.note)
    with pytest.raises(NoteError):
        handovers.read(note(8, OLD))
