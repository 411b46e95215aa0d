"""What a doctor hears of a relay: what a worker would, and nothing is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.watch import about_relay
from gateway.watch.findings import Finding, Level
from tests.support.certificates import loopback_contexts
from tests.support.ports import free_port
from tests.support.sink import Sink, open_sink
from tests.unit.test_relays import config, with_relay

SIGNED = 'username = "gateway"\npassword_file = "password"'


def relayed(folder: Path, port: int, *said: str) -> configuration.Config:
    (folder / "password").write_text("hush")
    (folder / "password").chmod(0o600)
    there = ("port = 25\n", f"port = {port}\n")
    tls = ('tls = "none"  ', 'tls = "starttls"  ')
    return config(
        folder, there, *([tls] if "ca_file" in str(said) else []), with_relay("\n".join(said))
    )


async def heard(given: configuration.Config) -> Finding:
    (finding,) = await about_relay.about(given)
    return finding


async def test_a_relay_that_takes_us_is_well(tmp_path: Path) -> None:
    async with open_sink() as sink:
        found = await heard(relayed(tmp_path, sink.port, SIGNED))

        assert found.level is Level.OK
        assert found.text == f"127.0.0.1:{sink.port} takes us (in clear, signed in)"
        assert sink.transactions == []


async def test_its_certificate_is_looked_at(tmp_path: Path) -> None:
    server, _ = loopback_contexts(tmp_path)
    async with open_sink() as sink:
        sink.tls = server
        trusted = await heard(relayed(tmp_path, sink.port, 'ca_file = "loopback.pem"'))

    assert trusted.level is Level.OK
    assert "TLSv1.3, 127.0.0.1" in trusted.text


async def test_where_nothing_listens_it_fails(tmp_path: Path) -> None:
    port = free_port()

    found = await heard(relayed(tmp_path, port))

    assert found.level is Level.FAIL
    assert found.text == f"127.0.0.1:{port}: Connection refused"
    assert "delivery.relay.host" in found.fix


def refuses(sink: Sink) -> None:
    sink.passes = "nobody"


def is_full(sink: Sink) -> None:
    sink.slots, sink.full = asyncio.Semaphore(0), "421 4.7.0 too many connections"


@pytest.mark.parametrize(
    ("be", "said", "fix"),
    [
        (refuses, "535 5.7.8 nobody passes like this", "delivery.relay.username"),
        (is_full, "421 4.7.0 too many connections", "we said that we are acme.example"),
    ],
    ids=["a wrong password", "too many"],
)
async def test_its_words_are_repeated(tmp_path: Path, be: object, said: str, fix: str) -> None:
    async with open_sink() as sink:
        be(sink)  # type: ignore[operator]

        found = await heard(relayed(tmp_path, sink.port, SIGNED))

    assert found.level is Level.FAIL
    assert said in found.text
    assert fix in found.fix


async def test_no_starttls_fails(tmp_path: Path) -> None:
    loopback_contexts(tmp_path)
    async with open_sink() as sink:
        found = await heard(relayed(tmp_path, sink.port, 'ca_file = "loopback.pem"'))

    assert found.text.endswith("it offers no STARTTLS")


async def test_mail_in_clear_to_another_machine_is_told(tmp_path: Path) -> None:
    async with open_sink() as sink:
        given = relayed(tmp_path, sink.port, "unencrypted = true")

        _, told = await about_relay.about(given)

    assert told.level is Level.WARN
    assert "in clear" in told.text
