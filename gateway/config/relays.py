"""Where mail goes, as the configuration says."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from delivery.relay import Relay
from gateway.config.config import Config


def relay_of(config: Config) -> Relay:
    """Where the worker connects to: the relay, or the local inbox."""
    if config.delivery.transport == "inbox":
        smtp = config.delivery.inbox.smtp
        return Relay(host=smtp.host, port=smtp.port)
    relay = config.delivery.relay
    return Relay(
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        ca_file=relay.ca_file,
        username=relay.username,
        password=relay.password,
        auth=relay.auth,
        local_hostname=relay.helo or _own_name(config),
        connections=relay.connections,
        messages_per_connection=relay.messages_per_connection,
    )


def _own_name(config: Config) -> str:
    """A name for EHLO that the world knows (RFC 5321, section 4.1.4), whatever the machine's is."""
    host = urlsplit(config.server.public_url).hostname or ""
    if "." in host and not _is_number(host):
        return host
    return min(sender.dkim_domain for sender in config.senders.values())


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
