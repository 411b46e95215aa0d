"""Campaigns inside the test's own process: what carries them on is turned by hand."""

from __future__ import annotations

from typing import Any

from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.launch import Order, Stores
from gateway.parts import Parts


def stores_of(parts: Parts) -> Stores:
    opened = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
    return Stores(*opened)


def order_of(subject: str, **more: Any) -> Order:
    """To everyone who agreed to the newsletter."""
    said = {"subject": subject, "text": "Hello."}
    return Order("newsletter", "acme", "acme.example", said, **more)


async def expand(parts: Parts) -> None:
    """As the duty does, until nothing more is to be done."""
    expansion = Expansion(stores_of(parts))
    while await expansion.work_off():
        pass
