from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.networks import nearest, network_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        pytest.param("192.0.2.7", "", "192.0.2.7", id="no proxy"),
        pytest.param("192.0.2.7", "198.51.100.1", "192.0.2.7", id="a stranger's header"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="one proxy"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1", id="two proxies"),
        pytest.param("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1", id="forged start"),
        pytest.param("10.0.0.1", "nonsense", "10.0.0.1", id="no address"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="proxy that says nothing"),
        pytest.param("::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6 customer"),
        pytest.param("::ffff:192.0.2.7", "", "192.0.2.7", id="IPv4 in IPv6"),
        pytest.param("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", id="proxy in IPv6"),
        pytest.param("", "", "unknown", id="a Unix socket"),
    ],
)
def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy(
    peer: str, forwarded: str, network: str
) -> None:
    assert nearest(peer, forwarded, PROXIES) == network


@given(st.text(), st.text())
def test_any_header_gives_some_network(peer: str, forwarded: str) -> None:
    found = nearest(peer, forwarded, PROXIES)

    assert found == "unknown" or network_of(found.split("/")[0]) is not None
