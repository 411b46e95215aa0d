from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.model import Reason, Refused
from gateway.flows.sending import accepted
from gateway.flows.sending.accepted import Outcome, Queued, Told

INVALID = Told(
    {
        "status": "invalid",
        "errors": [{"pointer": "/to/email", "detail": "must be an email address"}],
    }
)
# As the first release remembered them, byte for byte.
MESSAGE = b'{"message_id":"msg_1","status":"queued"}'
BATCH = (
    b'{"results":[{"message_id":"msg_1","status":"queued"},'
    b'{"status":"refused","reason":"unknown","class":"ask_first"},'
    b'{"status":"invalid","errors":[{"pointer":"/to/email","detail":"must be an email address"}]}]}'
)

_outcomes = st.lists(
    st.builds(Queued, st.text())
    | st.builds(Refused, st.sampled_from(list(Reason)))
    | st.just(INVALID)
)


@given(_outcomes)
def test_a_batch_is_remembered_as_a_whole(outcomes: list[Outcome]) -> None:
    written = accepted.document(outcomes, batch=True)

    assert written is not None
    assert accepted.read(written) == outcomes


def test_of_a_message_alone_only_that_it_was_queued_is_remembered() -> None:
    queued = accepted.document([Queued("msg_1")], batch=False)

    assert queued is not None
    assert accepted.read(queued) == [Queued("msg_1")]
    assert accepted.document([Refused(Reason.UNKNOWN)], batch=False) is None


@pytest.mark.parametrize(
    ("raw", "outcomes"),
    [
        (MESSAGE, [Queued("msg_1")]),
        (BATCH, [Queued("msg_1"), Refused(Reason.UNKNOWN), INVALID]),
    ],
    ids=["message", "batch"],
)
def test_what_the_first_release_remembered_is_read(raw: bytes, outcomes: list[Outcome]) -> None:
    assert accepted.read(raw) == outcomes


@pytest.mark.parametrize(
    ("outcomes", "raw"),
    [
        ([Queued("msg_1")], MESSAGE),
        ([Queued("msg_1"), Refused(Reason.UNKNOWN), INVALID], BATCH),
    ],
    ids=["message", "batch"],
)
def test_a_process_of_the_first_release_could_answer_with_ours(
    outcomes: list[Outcome], raw: bytes
) -> None:
    written = accepted.document(outcomes, batch=len(outcomes) > 1)

    assert written is not None
    assert written.replace(b", ", b",").replace(b": ", b":") == raw
