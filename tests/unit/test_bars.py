"""What `make bench-peers` reads of other programs, and how it judges a ratio."""

from __future__ import annotations

import pytest

from benchmarks import bars
from benchmarks.bars import Bar, Tool

SPEED = """Doing 2048 bits private rsa's for 3s: 13758 2048 bits private RSA's in 3.00s
                  sign    verify    sign/s verify/s
rsa 2048 bits 0.000218s 0.000006s   4586.0 164512.3
"""
MAIL = (
    b"Received: from relay.test\n\tby relay.test with ESMTP\nX-Own: 1\nSubject: Hello\n\nA line.\n"
)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.56, "aim met"),
        (0.55, "aim met"),
        (0.41, "must met"),
        (0.40, "must met"),
        (0.30, "NOT MET: 75% of it"),
    ],
)
def test_a_ratio_is_held_to_what_must_be_and_to_what_is_aimed_at(
    value: float, verdict: str
) -> None:
    assert Bar(must=0.40, aim=0.55).verdict(value) == verdict


def test_every_tool_that_is_not_there_is_named_with_the_way_to_it() -> None:
    tools = [Tool("node", "Debian package nodejs"), Tool("openssl", "Debian package openssl")]

    assert bars.missing(tools, {"openssl": "/usr/bin/openssl"}.get) == [
        "node is missing: Debian package nodejs"
    ]


def test_the_last_count_that_a_sink_said_is_the_one() -> None:
    assert bars.counted(b"sess=0 quit=0 mesg=1\rsess=3 quit=2 mesg=1204\r") == 1204
    assert bars.counted(b"") is None


def test_what_openssl_signs_a_second_is_not_what_it_verifies() -> None:
    assert bars.signatures(SPEED) == 4586.0
    with pytest.raises(ValueError, match="rsa 2048"):
        bars.signatures("rsa 4096 bits 0.0015s 0.00002s 666.0 40000.0")


def test_a_mail_that_a_sink_kept_is_what_came_over_the_wire() -> None:
    dump = (
        b"X-Client-Addr: 127.0.0.1\nX-Client-Proto: ESMTP\nX-Helo-Args: mail.acme.example\n"
        b"X-Mail-Args: <news@acme.example>\nX-Rcpt-Args: <ada@example.org>\n"
        b"Received: from mail.acme.example ([127.0.0.1])\n\tby smtp-sink (smtp-sink) with ESMTP"
        b" id 370d3895;\n\tSat, 28 Nov 2026 05:13:29 +0000 (UTC)\n"
    )

    assert bars.kept(dump + MAIL + b"\n") == MAIL.replace(b"\n", b"\r\n")


def test_each_round_begins_with_another_and_has_all_of_them() -> None:
    rounds = [bars.turns(number, ["a", "b", "c"]) for number in range(4)]

    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert bars.turns(3, []) == []
