"""What a doctor hears of the relay: it is connected to, as a worker would, and nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from delivery import smtp
from delivery.errors import RelayAway
from delivery.relay import Relay
from delivery.transmission import Connection, Timeouts
from gateway.config.config import Config
from gateway.config.relays import relay_of
from gateway.watch.findings import Finding, fail, ok, warn

_PATIENCE: Final = 10.0  # seconds, up to a session that is ready


async def about(config: Config) -> list[Finding]:
    """Whether a worker would get through: greeting, STARTTLS, certificate, user name, password."""
    if config.delivery.transport == "inbox":
        said = "mail goes to the local inbox only"
        return [warn("transport", said, 'set delivery.transport = "relay"')]
    relay = relay_of(config)
    try:
        connection = await _met(relay)
    except RelayAway as away:
        return [fail("relay", _trouble(relay, away), _way_out(config, away))]
    found = [ok("relay", _kind(relay, connection))]
    if config.delivery.relay.unencrypted and connection.peer and connection.peer.secured is None:
        said = "mail travels to it in clear, as delivery.relay.unencrypted says"
        found.append(warn("relay", said, 'set delivery.relay.tls to "starttls" or "implicit"'))
    return found


async def trouble(config: Config) -> RelayAway | None:
    """Why a worker would not get through to it now; None: it would."""
    try:
        await _met(relay_of(config))
    except RelayAway as away:
        return away
    return None


async def _met(relay: Relay) -> Connection:
    hurried = replace(relay, timeouts=Timeouts(connect=_PATIENCE))
    connection = await smtp.connect(hurried, smtp.trusted(relay))
    connection.dialogue.quit()
    return connection


def _trouble(relay: Relay, away: RelayAway) -> str:
    answer = " ".join(filter(None, [str(away.code or ""), away.said]))
    told = f": {answer}" if answer else ""
    return f"{relay.host}:{relay.port}: {away.problem}{told}"


def _way_out(config: Config, away: RelayAway) -> str:
    relay = config.delivery.relay
    if away.code in (530, 534, 535, 538):
        return "see delivery.relay.username, its password and auth"
    if "certificate" in away.problem:
        return f"give a host that the certificate of {relay.host} names, or its issuer as ca_file"
    if away.code is not None:
        return f"ask who runs it; we said that we are {relay_of(config).local_hostname} (helo)"
    return "see delivery.relay.host, port and tls, and whether a firewall lets us through"


def _kind(relay: Relay, connection: Connection) -> str:
    secured = None if connection.peer is None else connection.peer.secured
    how = "in clear" if secured is None else f"{secured.version}, {secured.certificate}"
    who = "" if relay.username is None else ", signed in"
    return f"{relay.host}:{relay.port} takes us ({how}{who})"
