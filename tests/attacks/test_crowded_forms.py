"""Networks that cost nothing crowd a form: honest visitors from elsewhere still get in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network
from itertools import count, islice
from time import perf_counter

import pytest

from consent import address
from consent.sign_ups import Asked, SignUp
from gateway.flows.joining.sign_up import Posted, accept_all
from gateway.limits import FORM, NETWORK, WIDER
from tests.support.apps import App

MINUTE = timedelta(minutes=1)
HONEST = ["192.0.2.7", "2001:db8:ffff:1::/64", "198.51.100.9"]


async def enter(app: App, networks: Iterable[str]) -> int:
    """Post once from each network, many at a time; how many get in."""
    (text,) = await app.texts("newsletter")
    form = SignUp("signup", address.parse("a@example.org"), "en", (Asked("newsletter", text),))
    entered, waiting = 0, iter(networks)
    while group := list(islice(waiting, 100)):
        waits = await accept_all(app.parts, [Posted(form, network) for network in group])
        entered += waits.count(None)
    return entered


async def later(app: App, by: timedelta) -> None:
    """What a process remembers it remembers in real seconds: tenths of one, for a form."""
    await asyncio.sleep(2 * FORM.interval.total_seconds())
    app.step(by)


def inside(prefix: str, length: int = 64) -> Iterator[str]:
    """The /64s of a prefix, each in another network of *length*."""
    network = IPv6Network(prefix)
    first = int(network.network_address)
    return (str(IPv6Network((IPv6Address(first + (n << (128 - length))), 64))) for n in count())


@pytest.mark.parametrize(
    ("prefix", "length", "posts", "at_most"),
    [
        ("3fff:db8:1:100::/56", 64, 250, WIDER[56].burst),
        ("3fff:db8:1::/48", 56, 250, WIDER[48].burst),
        ("3fff:db8::/32", 48, 700, WIDER[32].burst),
        ("3fff:db8::/32", 64, 250, WIDER[56].burst),
    ],
    ids=["a /56", "a /48", "a /32", "a /32, side by side"],
)
async def test_one_prefix_cannot_fill_a_form(
    limited: App, prefix: str, length: int, posts: int, at_most: int
) -> None:
    entered = await enter(limited, islice(inside(prefix, length), posts))

    assert 0 < entered <= at_most < FORM.burst
    assert await enter(limited, HONEST) == len(HONEST)


async def test_networks_that_were_there_before_leave_room_for_others(limited: App) -> None:
    """As many as fill the form, each within its own limit."""
    crowd = [f"198.18.0.{n}" for n in range(1, 41)]
    assert await enter(limited, crowd) == len(crowd)

    entered = await enter(limited, crowd * 30)

    assert entered + len(crowd) == FORM.burst * 3 // 4
    assert await enter(limited, HONEST) == len(HONEST)
    for _ in range(3):  # and goes on like that
        await later(limited, MINUTE)
        await enter(limited, crowd * 30)
        assert await enter(limited, [f"203.0.113.{limited.parts.clock.wall().minute}"]) == 1


async def test_within_a_prefix_there_is_room_for_networks_that_were_not_seen(limited: App) -> None:
    flooding = list(islice(inside("3fff:db8:1:100::/56"), 4))

    entered = await enter(limited, flooding * 60)

    assert entered <= WIDER[56].burst * 3 // 4 + len(flooding)
    assert await enter(limited, ["3fff:db8:1:1ff::/64"]) == 1


async def test_a_household_has_what_it_had(limited: App) -> None:
    assert await enter(limited, ["3fff:db8:1:2::/64"] * 80) == NETWORK.burst


async def test_a_network_that_was_not_there_for_a_day_is_new_again(limited: App) -> None:
    crowd = [f"198.18.0.{n}" for n in range(1, 41)]
    await enter(limited, crowd * 30)
    await later(limited, timedelta(days=1, minutes=2))

    assert await enter(limited, crowd) == len(crowd)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_million_networks_of_one_prefix_leave_an_honest_visitor_in(limited: App) -> None:
    begun = perf_counter()
    for n in range(200):
        await enter(limited, islice(inside(f"3fff:{n % 4:x}::/32", 48 + n % 16), 5000))
        assert await enter(limited, [f"203.0.113.{n + 1}"]) == 1
        limited.step(timedelta(seconds=1))
    print(f"{200 * 5000} posts in {perf_counter() - begun:.0f} s")
