"""By which names of a Host header numbers are told."""

from __future__ import annotations

import pytest

from gateway.http.hosts import is_own

NAMES = {"numbers.acme.example"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9180",
        "127.0.0.1",
        "10.1.2.3:9180",
        "[::1]:9180",
        "[fe80::1]",
        "localhost:9180",
        "LOCALHOST",
        "localhost.",
        "gateway:9180",
        "gateway_worker_1:9180",
        "a.localhost",
        "printer.local:9180",
        "gateway.mail.svc.cluster.local:9180",
        "gateway.internal",
        "numbers.acme.example:9180",
        "Numbers.Acme.Example.:9180",
    ],
)
def test_who_asks_by_an_address_or_a_name_that_no_stranger_can_own_is_told(host: str) -> None:
    assert is_own(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:9180",
        "evil.example",
        "127.0.0.1.evil.example:9180",
        "localhost.evil.example",
        "local.example",
        "a.evillocal",
        "acme.example",
        "x.numbers.acme.example",
        "127.0.0.1:9180.evil.example",
        "127.0.0.1:9180@evil.example",
        "[::1].evil.example",
        "127.1.evil.example:80",
        "xn--nxasmq6b.example",
        "evil.example:",
        " evil.example",
    ],
)
def test_a_name_that_a_page_may_be_of_is_not(host: str) -> None:
    assert not is_own(host, NAMES)
