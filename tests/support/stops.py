"""Restrictions, and the lifting of them and of objections, as a person's own pages have them."""

from __future__ import annotations

from gateway.flows.rights.stops import Stops
from gateway.parts import Parts


def stops_of(parts: Parts) -> Stops:
    return Stops(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        parts.keyring.suppression,
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.takings,
    )
