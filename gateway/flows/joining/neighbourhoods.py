"""From how far away somebody asks, coarser than a flood can choose.

Addresses are cheap: who rents some has them from one provider, and a household
has 2^64. What is kept for somebody who has not asked yet is kept for a place
that is far from those who have.
"""

from __future__ import annotations

from ipaddress import ip_network

_IPV4 = 16
_IPV6 = 32  # what a provider gets, to give to its customers (RFC 6177 is about those)


def neighbourhood(network: str | None) -> str | None:
    """The network that *network* lies in, as far as providers are told apart; None: unknown."""
    if network is None:
        return None
    try:
        parsed = ip_network(network, strict=False)
    except ValueError:
        return None
    coarse = _IPV4 if parsed.version == 4 else _IPV6
    return str(parsed if parsed.prefixlen <= coarse else parsed.supernet(new_prefix=coarse))
