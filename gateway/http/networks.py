"""Whose network a request comes from, as far as that can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from aiohttp import web

_HOUSEHOLD = 64  # one IPv6 customer holds at least so much (RFC 6177)


def client_network(request: web.BaseRequest, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The network that the limits count.

    Each trusted proxy appends the peer that it saw to X-Forwarded-For, so the
    header is read from its end and believed only as long as the speaker is trusted.
    """
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    return nearest(request.remote or "", forwarded, trusted)


def nearest(peer: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """As `client_network`, from values."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    speaker = peer
    while hops and _is_within(speaker, trusted):
        claimed = hops.pop()
        if network_of(claimed) is None:
            break
        speaker = claimed
    return network_of(speaker) or "unknown"


def network_of(address: str) -> str | None:
    """One IPv4 address, or the /64 of an IPv6 one; None when it is neither."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), _HOUSEHOLD), strict=False))
    return None if parsed is None else str(parsed)


def visitor_network(said: str) -> str | None:
    """The network that a back end names for its visitor: an address, or a network in CIDR form.

    As coarse as the back end likes, but never finer than what we would count.
    """
    if "/" not in said:
        return network_of(said)
    try:
        network = ip_network(said, strict=False)
    except ValueError:
        return None
    return network_of(str(network.network_address)) if _is_fine(network) else str(network)


def _is_fine(network: IPv4Network | IPv6Network) -> bool:
    return network.prefixlen >= (32 if network.version == 4 else _HOUSEHOLD)


def _is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
