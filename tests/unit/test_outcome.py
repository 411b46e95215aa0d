"""What an ending means, by phase, digit and class of mail."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.outcome import Ending, Kind, Outcome, Phase, Reply, Verdict, judge, parse_reply

LATER = Verdict(Outcome.DEFERRED, again=True)
OURS = Verdict(Outcome.DEFERRED, again=True, ours=True)
BEFORE_DOT = [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (Ending(Phase.GREETED), Verdict(Outcome.NOT_STARTED, again=True)),
        (Ending(Phase.REPLIED, Reply(250)), Verdict(Outcome.SENT)),
        (Ending(Phase.REPLIED, Reply(299)), Verdict(Outcome.SENT)),
        (Ending(Phase.REPLIED, Reply(421)), LATER),
        (Ending(Phase.REPLIED, Reply(451)), LATER),
        (Ending(Phase.REPLIED, Reply(554)), Verdict(Outcome.BOUNCED)),
        (Ending(Phase.RCPT, Reply(550)), Verdict(Outcome.BOUNCED)),
        (Ending(Phase.RCPT, Reply(550, "5.1.1")), Verdict(Outcome.BOUNCED, suppress=True)),
        (Ending(Phase.REPLIED, Reply(550, "5.1.1")), Verdict(Outcome.BOUNCED, suppress=True)),
        (Ending(Phase.RCPT, Reply(550, "5.7.26")), Verdict(Outcome.BOUNCED)),
        (Ending(Phase.RCPT, Reply(552, "5.2.2")), LATER),
        (Ending(Phase.REPLIED, Reply(552, "5.2.2")), LATER),
        (Ending(Phase.REPLIED, Reply(552)), LATER),
        (Ending(Phase.DATA, Reply(552)), LATER),
        (Ending(Phase.MAIL, Reply(552, "5.2.2")), LATER),
        (Ending(Phase.REPLIED, Reply(550, "5.2.2")), LATER),
        (Ending(Phase.RCPT, Reply(554, "5.2.2")), LATER),
        (Ending(Phase.REPLIED, Reply(552, "5.3.4")), Verdict(Outcome.BOUNCED)),
        (Ending(Phase.MAIL, Reply(552)), Verdict(Outcome.FAILED)),
        (Ending(Phase.RCPT, Reply(451, "4.7.1")), LATER),
        (Ending(Phase.MAIL, Reply(552, "5.3.4")), Verdict(Outcome.FAILED)),
        (Ending(Phase.MAIL, Reply(530)), LATER),
        (Ending(Phase.DATA, Reply(503)), LATER),
        (Ending(Phase.DATA, Reply(554)), Verdict(Outcome.BOUNCED)),
        (Ending(Phase.DATA, Reply(250)), LATER),
        (Ending(Phase.RCPT, Reply(390)), LATER),
        (Ending(Phase.RCPT, Reply(999)), LATER),
    ],
)
def test_an_ending_means_the_same_for_both_kinds(
    ending: Ending, verdict: Verdict, kind: Kind
) -> None:
    assert judge(ending, kind) == verdict


@pytest.mark.parametrize("phase", [*BEFORE_DOT, Phase.REPLIED])
@pytest.mark.parametrize("enhanced", [None, "5.1.1", "5.7.1"])
@pytest.mark.parametrize(
    "words",
    [
        "Connection frequency limited",
        "<ada@example.test>: Recipient address rejected: refused by spam policy",
        "blocked, see https://bl.example/?ip=192.0.2.1",
        "Our system has detected that this message is likely unsolicited mail",
        "too many connections from your host",
        "low reputation of the sending domain",
        "this host is listed in a DNSBL",
        "Relay access denied",
        "Unable to relay for this domain",
        "Client host [192.0.2.1] blocked using bl.example",
        "messages that fail DMARC are not accepted",
        "rate of mails exceeded",
    ],
)
def test_an_opinion_of_us_is_put_off_and_suppresses_nobody(
    phase: Phase, enhanced: str | None, words: str
) -> None:
    reply = Reply(550, enhanced, f"{enhanced or ''} {words}".strip())

    assert judge(Ending(phase, reply), Kind.MARKETING) == OURS


@pytest.mark.parametrize(
    "words",
    [
        "5.1.1 <ada@example.test>: Recipient address rejected: User unknown in the table",
        "5.1.1 The email account that you tried to reach does not exist",
        "5.1.1 <spam-policy@example.test>: no such user",
        "5.1.1 abuse.blocked@example.test unknown",
        "5.1.1 user moderated@example.test disabled for corporate reasons",
    ],
)
def test_what_is_plainly_about_the_mailbox_suppresses_it(words: str) -> None:
    bounced = Verdict(Outcome.BOUNCED, suppress=True)

    assert judge(Ending(Phase.RCPT, Reply(550, "5.1.1", words)), Kind.SERVICE) == bounced


@pytest.mark.parametrize(
    "reply",
    [
        Reply(550, "5.4.1", "5.4.1 Recipient address rejected: Access denied. [x.example]"),
        Reply(550, "5.2.1", "5.2.1 the account is blocked"),
        Reply(552, "5.3.4", "5.3.4 Message size exceeds fixed limit"),
        Reply(550, "5.2.3", "5.2.3 Message length exceeds administrative limit"),
    ],
    ids=["nobody of that name", "a closed mailbox", "too large", "too large for them"],
)
def test_what_will_be_so_again_is_not_tried_again(reply: Reply) -> None:
    assert judge(Ending(Phase.REPLIED, reply), Kind.MARKETING).outcome is Outcome.BOUNCED


def test_a_long_answer_is_judged_by_its_beginning() -> None:
    reply = Reply(550, "5.7.1", "5.7.1 blocked " + "<" * 60_000 + "x" * 60_000)

    begun = time.process_time()

    assert judge(Ending(Phase.RCPT, reply), Kind.MARKETING) == OURS
    assert time.process_time() - begun < 1


def test_a_session_that_is_over_was_no_try_of_the_next_mail() -> None:
    ending = Ending(Phase.MAIL, Reply(421, "4.7.0"), worn=True)

    verdict = judge(ending, Kind.MARKETING)

    assert verdict == Verdict(Outcome.DEFERRED, again=True, at_once=True)


@pytest.mark.parametrize("phase", BEFORE_DOT)
@pytest.mark.parametrize("kind", Kind)
def test_a_connection_lost_before_the_dot_means_later(phase: Phase, kind: Kind) -> None:
    assert judge(Ending(phase), kind) == LATER


@pytest.mark.parametrize(
    "ending",
    [Ending(Phase.DOT), Ending(Phase.REPLIED), Ending(Phase.REPLIED, Reply(399))],
    ids=["silence", "no reply", "a reply without meaning"],
)
def test_past_the_dot_only_service_mail_goes_again(ending: Ending) -> None:
    assert judge(ending, Kind.MARKETING) == Verdict(Outcome.UNCERTAIN)
    assert judge(ending, Kind.SERVICE) == Verdict(Outcome.UNCERTAIN, again=True)


@given(
    phase=st.sampled_from(Phase),
    code=st.none() | st.integers(0, 999),
    enhanced=st.sampled_from([None, "5.1.1", "5.7.1", "4.1.1", "2.0.0"]),
    kind=st.sampled_from(Kind),
)
def test_every_ending_has_a_meaning_and_only_a_yes_at_the_end_means_sent(
    phase: Phase, code: int | None, enhanced: str | None, kind: Kind
) -> None:
    reply = None if code is None else Reply(code, enhanced)

    verdict = judge(Ending(phase, reply), kind)

    yes = phase is Phase.REPLIED and code is not None and 200 <= code < 300
    assert (verdict.outcome is Outcome.SENT) == yes
    if verdict.outcome in (Outcome.BOUNCED, Outcome.FAILED):
        assert code is not None
        assert 500 <= code < 600
    if phase is Phase.DOT:
        assert verdict.outcome is Outcome.UNCERTAIN


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (250, "2.0.0 kept", "2.0.0"),
        (550, "5.1.1 no such mailbox", "5.1.1"),
        (550, "5.1.1", "5.1.1"),
        (550, "no such mailbox 5.1.1", None),
        (550, "2.0.0 of another class", None),
        (550, "5.1.1.1 too long", None),
        (250, "", None),
    ],
)
def test_an_enhanced_code_stands_first_and_fits(code: int, text: str, enhanced: str | None) -> None:
    assert parse_reply(code, text).enhanced == enhanced


def test_the_words_of_a_reply_do_not_show() -> None:
    assert "ada" not in repr(
        Ending(Phase.RCPT, parse_reply(550, "5.1.1 <ada@example.org> unknown"))
    )
