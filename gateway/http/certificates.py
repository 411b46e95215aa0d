"""What an erasure did, as whoever asked for it is told; names nobody."""

from __future__ import annotations

from datetime import datetime

from consent.erasures import Erasure
from gateway.flows.proving import certificate
from gateway.flows.proving.certificate import Certificate
from gateway.http.models import Answer
from storage.ids import named


class LockedEvidence(Answer):
    """What stays: nobody is found by it, and it is destroyed on its date."""

    what: str
    until: datetime


class CertificateView(Answer):
    """What was destroyed, and what the log has of it; names nobody. `meaning` says it in words."""

    done_at: datetime
    keys_destroyed: list[str]
    payloads_deleted: int
    items_deleted: int
    event_id: str
    meaning: list[str]
    copies: str
    locked_evidence: LockedEvidence | None = None


class ErasureView(Answer):
    erasure_id: str
    state: str
    channel: str
    received_at: datetime
    asked_at: datetime
    due_at: datetime
    locked_until: datetime | None = None
    certificate: CertificateView | None = None


def view(erasure: Erasure, shown: Certificate | None) -> ErasureView:
    """An erasure as it is answered, with its certificate once there is one."""
    return ErasureView(
        erasure_id=erasure.id,
        state=erasure.state,
        channel=erasure.channel,
        received_at=erasure.received_at,
        asked_at=erasure.asked_at,
        due_at=erasure.due_at,
        locked_until=erasure.locked_until,
        certificate=None if shown is None else _shown(shown),
    )


def _shown(made: Certificate) -> CertificateView:
    until = made.locked_until
    return CertificateView(
        done_at=made.done_at,
        keys_destroyed=list(made.keys_destroyed),
        payloads_deleted=made.payloads,
        items_deleted=made.items,
        event_id=named("evt", made.eid),
        meaning=certificate.in_words(made),
        copies=certificate.copies(made),
        locked_evidence=None
        if until is None
        else LockedEvidence(what=certificate.EVIDENCE, until=until),
    )
