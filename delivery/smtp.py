"""Sessions with the relay: opened, secured and signed in to by aiosmtplib.

What is said over them then is `delivery.transmission`'s.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final

import aiosmtplib

from delivery.dialogue import take_over
from delivery.errors import RelayAway
from delivery.relay import Mechanism, Relay
from delivery.transmission import Connection, Peer, Secured

# Relays offer a CRAM-MD5 that they let nobody pass, and it says no less of a password to who
# listens than TLS does; without TLS we sign in to this machine alone.
_MECHANISMS: Final[tuple[Mechanism, ...]] = ("plain", "login", "cram-md5")
_GO_ON, _SIGNED_IN = 334, 235
_LONGEST_SAID: Final = 200


def trusted(relay: Relay) -> ssl.SSLContext | None:
    """Whose certificates are believed; None where there is no TLS. Raises OSError."""
    if relay.tls == "none":
        return None
    return ssl.create_default_context(cafile=relay.ca_file)


async def connect(relay: Relay, context: ssl.SSLContext | None) -> Connection:
    """Open, secure and sign in to a session, up to the reply to EHLO. Raises `RelayAway`.

    A way to sign in that is refused is not the last: the next one that the relay offers is
    tried in a session of its own, for some close after a refusal.
    """
    refused: _Refusals = {}
    try:
        async with asyncio.timeout(relay.timeouts.connect):
            while True:
                client = _client(relay, context)
                try:
                    return await _session(client, relay, context, refused)
                except _AnotherWay:
                    client.close()
                except BaseException:
                    client.close()
                    raise
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _away(error) from None  # the cause may quote what the server said


_Refusals = dict[Mechanism, aiosmtplib.SMTPAuthenticationError]


class _AnotherWay(Exception):
    """To sign in this way was refused; there may be others."""


async def _session(
    client: aiosmtplib.SMTP, relay: Relay, context: ssl.SSLContext | None, refused: _Refusals
) -> Connection:
    await _open(client, relay, context)
    if (way := _way_in(client, relay, refused)) is not None:
        try:
            await _sign_in(client, relay, way)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code // 100 != 5:  # it is not refused for good
                raise
            refused[way] = error
            raise _AnotherWay from None
    if client.transport is None:
        raise RelayAway("closed at once")
    return Connection(
        take_over(client.transport),
        relay.timeouts,
        pipelines=client.supports_extension("pipelining"),
        sizes=client.supports_extension("size"),
        peer=Peer(relay.host, relay.port, _secured(client.transport, relay.host)),
    )


def _client(relay: Relay, context: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=relay.local_hostname,
        timeout=relay.timeouts.connect,
        use_tls=relay.tls == "implicit",
        start_tls=False,  # None, the default, would mean "if offered"; see `_open`
        tls_context=context if relay.tls == "implicit" else None,
    )


async def _open(client: aiosmtplib.SMTP, relay: Relay, context: ssl.SSLContext | None) -> None:
    await client.connect()
    await _say_hello(client)
    if relay.tls != "starttls":
        return
    if not client.supports_extension("starttls"):
        raise RelayAway("it offers no STARTTLS")
    await client.starttls(tls_context=context)
    await _say_hello(client)


def _way_in(client: aiosmtplib.SMTP, relay: Relay, refused: _Refusals) -> Mechanism | None:
    """How to sign in next; None: not at all. Raises what the last refusal was."""
    if relay.username is None:
        return None
    offered: Collection[str] = client.supported_auth_methods
    ways = [one for one in _MECHANISMS if one in offered and relay.auth in (None, one)]
    for way in ways:
        if way not in refused:
            return way
    if refused:
        raise [*refused.values()][-1]
    wanted = "in a way that we know" if relay.auth is None else f"by AUTH {relay.auth.upper()}"
    raise RelayAway(f"it lets nobody sign in {wanted}")


async def _sign_in(client: aiosmtplib.SMTP, relay: Relay, way: Mechanism) -> None:
    name, password = relay.username or "", relay.password
    secret = b"" if password is None else password.reveal()
    match way:
        case "plain":
            await client.auth_plain(name, secret)
        case "cram-md5":
            await client.auth_crammd5(name, secret)
        case "login":
            # The name as an answer of its own: some relays take none with the command.
            await _answered(client, _GO_ON, b"AUTH", b"LOGIN")
            await _answered(client, _GO_ON, base64.b64encode(name.encode()))
            await _answered(client, _SIGNED_IN, base64.b64encode(secret))


async def _answered(client: aiosmtplib.SMTP, code: int, *words: bytes) -> None:
    response = await client.execute_command(*words)
    if response.code != code:
        raise aiosmtplib.SMTPAuthenticationError(response.code, response.message)


def _secured(transport: asyncio.BaseTransport, host: str) -> Secured | None:
    """What TLS came to; None where there is none."""
    session = transport.get_extra_info("ssl_object")
    if session is None:
        return None
    cipher, raw = session.cipher(), session.getpeercert(binary_form=True)
    return Secured(
        version=str(session.version()),
        cipher="" if cipher is None else cipher[0],
        certificate=_named_in(session.getpeercert() or {}, host),
        fingerprint=None if raw is None else hashlib.sha256(raw).hexdigest(),
    )


def _named_in(certificate: Mapping[str, Any], host: str) -> str | None:
    """The name by which it was verified: that of the host, or a pattern that covers it."""
    names = [name for _, name in certificate.get("subjectAltName", ())]
    wanted = {host.lower(), f"*.{host.lower().partition('.')[2]}"}
    return next((name for name in names if name.lower() in wanted), None)


async def _say_hello(client: aiosmtplib.SMTP) -> None:
    if not client.is_ehlo_or_helo_needed:
        return  # STARTTLS and AUTH have seen to it
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _away(error: aiosmtplib.SMTPException | OSError) -> RelayAway:
    """What an operator can act on; the words of the server are beside it, and in no log."""
    cause = error.__cause__ or error
    if isinstance(error, aiosmtplib.SMTPResponseException):
        signing_in = isinstance(error, aiosmtplib.SMTPAuthenticationError)
        problem = "it does not let us sign in" if signing_in else "it turned us away"
        return RelayAway(problem, error.code, _said(error.message))
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RelayAway(f"its certificate is not trusted ({cause.verify_message})")
    if isinstance(error, TimeoutError):
        return RelayAway("it does not answer in time")
    if isinstance(cause, socket.gaierror):
        return RelayAway("its name is not known")
    if isinstance(cause, OSError) and cause.errno:
        return RelayAway(os.strerror(cause.errno))  # asyncio's own text quotes where it went
    return RelayAway(type(cause).__name__)


def _said(message: str) -> str:
    """A server's words on one line of a terminal, whatever they are."""
    plain = "".join(one if one.isprintable() else " " for one in message)
    return " ".join(plain.split())[:_LONGEST_SAID]
