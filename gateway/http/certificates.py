"""What an erasure did, as whoever asked for it is told; names nobody."""

from __future__ import annotations

from datetime import datetime

from consent.erasures import Erasure
from gateway.flows.proving.certificate import Certificate
from gateway.http.models import Answer
from storage.ids import named


class LockedEvidence(Answer):
    """What stays: nobody is found by it, and it is destroyed on its date."""

    what: str
    until: datetime


class CertificateView(Answer):
    """What was destroyed, and what the log has of it; names nobody."""

    done_at: datetime
    keys_destroyed: list[str]
    payloads_deleted: int
    items_deleted: int
    event_id: str
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


_COPIES = (
    "Backups of the key store that are older than this still hold the keys: until they are"
    " deleted, whoever has one together with the keyring can read copies of the data."
)
_EVIDENCE = "what proves this person's consents, and the mails sent under them"


def view(erasure: Erasure, shown: Certificate | None) -> ErasureView:
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


def _shown(certificate: Certificate) -> CertificateView:
    until = certificate.locked_until
    return CertificateView(
        done_at=certificate.done_at,
        keys_destroyed=list(certificate.keys_destroyed),
        payloads_deleted=certificate.payloads,
        items_deleted=certificate.items,
        event_id=named("evt", certificate.eid),
        copies=_COPIES,
        locked_evidence=None if until is None else LockedEvidence(what=_EVIDENCE, until=until),
    )
