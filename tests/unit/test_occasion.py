"""Why a service mail was queued: as it is stored, and what nobody stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.outbox import Message, Status
from delivery.outcome import Kind
from gateway.flows.sending import occasion
from gateway.flows.sending.occasion import (
    Occasion,
    ToAddress,
    ToConfirm,
    ToKeep,
    ToOpen,
    ToTell,
    Unknown,
)
from tests.support.clock import START

HASH = bytes(range(32))
OCCASIONS = [
    pytest.param(ToConfirm(HASH), id="a confirmation"),
    pytest.param(ToConfirm(HASH, anew=True), id="a question asked anew"),
    pytest.param(ToOpen("lnk_06eb1vkk0345bbpfmu1qikssr4"), id="a fresh link"),
    pytest.param(ToTell("con_06eb1vkk0345bbpfmu1qikssr4"), id="a withdrawal"),
    pytest.param(ToAddress("adr_06eb1vkk0345bbpfmu1qikssr4"), id="another address"),
    pytest.param(ToKeep("evt_06eb1vkk0345bbpfmu1qikssr4"), id="a checkpoint"),
]
WAITING = Message(
    id="msg_1",
    kind=Kind.SERVICE,
    subject="sub_1",
    purpose="newsletter",
    sender="acme",
    content="cnt_1",
    status=Status.QUEUED,
    reason=None,
    due_at=START,
    expires_at=START,
    attempt=0,
    tries=0,
    owner=None,
    dated_at=None,
    origin=None,
    occasion=None,
    regarding=None,
    created_at=START,
)


@pytest.mark.parametrize("one", OCCASIONS)
def test_what_was_queued_for_an_occasion_is_for_that_one(one: Occasion) -> None:
    assert occasion.of(replace(WAITING, **occasion.columns(one))) == one


@pytest.mark.parametrize("one", OCCASIONS)
def test_what_is_about_something_for_no_known_reason_is_not_guessed(one: Occasion) -> None:
    """Of what the first release queued the upgrade says it."""
    regarding = occasion.columns(one)["regarding"]

    assert occasion.of(replace(WAITING, regarding=regarding)) == Unknown()


def test_without_an_occasion_there_is_none() -> None:
    assert occasion.columns(None) == {}
    assert occasion.of(WAITING) is None


def test_the_word_counts_and_not_the_look_of_what_it_is_about() -> None:
    for word, regarding, found in (
        ("fresh-link", HASH.hex(), ToOpen(HASH.hex())),
        ("confirmation", "lnk_06eb1vkk0345bbpfmu1qikssr4", Unknown()),
    ):
        assert occasion.of(replace(WAITING, occasion=word, regarding=regarding)) == found


@pytest.mark.parametrize(
    ("word", "regarding"),
    [
        pytest.param("birthday", "sub_1", id="a later release's"),
        pytest.param("birthday", None, id="a later release's, about nothing"),
        pytest.param("confirmation", "no hash", id="no hash"),
        pytest.param(None, "no hash", id="no hash, and no word"),
    ],
)
def test_what_we_never_write_is_unknown(word: str | None, regarding: str | None) -> None:
    found = occasion.of(replace(WAITING, occasion=word, regarding=regarding))

    assert found == Unknown()
