"""What counts as far away from whoever asked before."""

from __future__ import annotations

import pytest

from gateway.flows.joining.neighbourhoods import neighbourhood


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("198.51.100.7", "198.51.0.0/16"),
        ("198.51.100.0/24", "198.51.0.0/16"),
        ("198.0.0.0/8", "198.0.0.0/8"),
        ("2001:db8:7:9::/64", "2001:db8::/32"),
        ("2000::/16", "2000::/16"),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_a_network_lies_in_what_a_provider_holds(network: str | None, expected: str | None) -> None:
    assert neighbourhood(network) == expected
