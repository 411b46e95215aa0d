"""Restrictions, objections and pauses, and the lifting of them, as a person's own pages have it."""

from __future__ import annotations

from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights.pace import Paces
from gateway.flows.rights.stops import Stops
from gateway.parts import Parts


def stops_of(parts: Parts) -> Stops:
    return Stops(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        SameMailbox(parts.keyring.suppression, parts.lookup),
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.takings,
        parts.config,
    )


def paces_of(parts: Parts) -> Paces:
    return Paces(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        parts.permit_wait,
        parts.config,
    )
