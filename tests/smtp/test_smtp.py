"""A session with the relay: who we say we are, whom we believe, how we sign in."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from delivery import smtp
from delivery.errors import RelayAway
from delivery.pool import Pool
from delivery.relay import Relay
from storage.secret import Secret
from tests.smtp.test_pool import relay, use
from tests.support.certificates import loopback_contexts
from tests.support.connections import take
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

SIGNED_IN = b"gateway\0hush"


def known(sink: Sink, **more: object) -> Relay:
    return relay(sink, username="gateway", password=Secret(b"hush"), **more)


async def meet(there: Relay, context: ssl.SSLContext | None = None) -> None:
    (await smtp.connect(there, context)).dialogue.quit()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_over_verified_tls_with_credentials(tmp_path: Path, tls: str) -> None:
    server, client = loopback_contexts(tmp_path)
    async with open_sink(tls=server if tls == "implicit" else None) as sink:
        sink.tls = server if tls == "starttls" else None
        safe = relay(sink, tls=tls, username="gateway", password=Secret(b"hush"))

        async with Pool(safe, client) as pool:
            (connection,) = await take(pool, 1)
            await use(pool, [connection])

        assert len(sink.accepted) == 1
        # With whom, and how it was encrypted: evidence of a delivery names it.
        peer = connection.peer
        assert peer is not None and peer.secured is not None
        assert (peer.host, peer.port) == ("127.0.0.1", sink.port)
        assert (peer.secured.version, peer.secured.certificate) == ("TLSv1.3", "127.0.0.1")
        assert peer.secured.cipher.startswith("TLS_")
        raw = ssl.PEM_cert_to_DER_cert(
            (tmp_path / "loopback.pem")
            .read_text()
            .partition("-----END PRIVATE KEY-----")[2]
            .strip()
        )
        assert peer.secured.fingerprint == hashlib.sha256(raw).hexdigest()
        assert sink.credentials == [b"\0gateway\0hush"]
        assert "hush" not in repr(safe)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_an_untrusted_certificate_gets_no_mail(tmp_path: Path, tls: str) -> None:
    server, _ = loopback_contexts(tmp_path)
    async with open_sink(tls=server if tls == "implicit" else None) as sink:
        sink.tls = server if tls == "starttls" else None

        async with Pool(relay(sink, tls=tls), ssl.create_default_context()) as pool:
            pool.take(1)
            await until(lambda: pool.trouble)
            assert pool.trouble is not None
            assert "certificate" in pool.trouble.problem


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_that_ran_out_gets_no_mail(tmp_path: Path, tls: str) -> None:
    """Who trusts its authority still sends nothing, neither over it nor in the clear."""
    server, client = loopback_contexts(tmp_path, days=365)
    async with open_sink(tls=server if tls == "implicit" else None) as sink:
        sink.tls = server if tls == "starttls" else None

        async with Pool(relay(sink, tls=tls), client) as pool:
            pool.take(1)
            await until(lambda: pool.trouble)
            assert pool.trouble is not None
            assert "expired" in pool.trouble.problem

        assert sink.transactions == []


async def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    async with open_sink() as sink, Pool(relay(sink, tls="starttls")) as pool:
        pool.take(1)
        await until(lambda: pool.trouble)
        assert sink.transactions == []


async def test_whoever_its_certificate_is_from_can_be_named(tmp_path: Path) -> None:
    server, _ = loopback_contexts(tmp_path)
    async with open_sink() as sink:
        sink.tls = server
        named = relay(sink, tls="starttls", ca_file=tmp_path / "loopback.pem")

        await meet(named, smtp.trusted(named))

        assert sink.connections == 1


async def test_a_relay_that_takes_no_name_with_the_command_gets_it_when_it_asks() -> None:
    async with open_sink() as sink:
        sink.mechanisms = ["LOGIN"]

        await meet(known(sink))

        assert sink.credentials == [SIGNED_IN]
        assert sink.connections == 1


@pytest.mark.parametrize("passes", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_a_way_to_sign_in_that_is_refused_is_not_the_last(passes: str) -> None:
    async with open_sink() as sink:
        sink.mechanisms, sink.passes = ["CRAM-MD5", "PLAIN", "LOGIN"], passes

        await meet(known(sink))

        assert len(sink.credentials) == 1
        assert sink.connections == 1 + ["PLAIN", "LOGIN", "CRAM-MD5"].index(passes)


async def test_the_operator_may_name_the_one_way_to_sign_in() -> None:
    async with open_sink() as sink:
        sink.mechanisms, sink.passes = ["CRAM-MD5", "PLAIN", "LOGIN"], "LOGIN"

        await meet(known(sink, auth="login"))

        assert (sink.connections, sink.credentials) == (1, [SIGNED_IN])


async def test_who_is_refused_in_every_way_is_told_what_the_relay_said_but_no_log_is() -> None:
    async with open_sink() as sink:
        sink.mechanisms, sink.passes = ["PLAIN", "LOGIN"], "nobody"

        with pytest.raises(RelayAway) as caught:
            await meet(known(sink))

        assert (caught.value.problem, caught.value.code) == ("it does not let us sign in", 535)
        assert caught.value.said == "5.7.8 nobody passes like this"
        assert "nobody" not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        (None, "it lets nobody sign in in a way that we know"),
        ("cram-md5", "it lets nobody sign in by AUTH CRAM-MD5"),
    ],
)
async def test_who_cannot_sign_in_is_told_why(auth: str | None, problem: str) -> None:
    async with open_sink() as sink:
        sink.mechanisms = ["GSSAPI"] if auth is None else ["PLAIN"]

        with pytest.raises(RelayAway) as caught:
            await meet(known(sink, auth=auth))

        assert caught.value.problem == problem
        assert sink.credentials == []


async def test_words_of_a_server_move_no_cursor() -> None:
    async with open_sink() as sink:
        sink.greeting = "554 go\x1b[2J away\x07 \x9b31m" + "x" * 999

        with pytest.raises(RelayAway) as caught:
            await meet(relay(sink))

        assert caught.value.said.startswith("go [2J away 31mxxx")
        assert len(caught.value.said) == 200
