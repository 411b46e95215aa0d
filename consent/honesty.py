"""What of a row the MAC covers that keeps it honest (`storage.honesty`, docs/formats/rows.md).

Everything that grants, and never what a statement over many rows may change. A
MAC does not show that a row is missing, or that an old row was put back whole;
comparing `eid` with the audit log does (`gateway audit verify`).
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from consent.keys.seal import pae
from storage.honesty import Value
from storage.secret import Secret

_CONSENT = b"consentgw/consent/v1"
_CONFIRMATION = b"consentgw/confirmation/v1"


def granting(consent: Any) -> tuple[Value, ...]:
    """What permission depends on, of a consent or of its row; sign anew with every change of it."""
    return (
        consent.id,
        consent.subject,
        consent.purpose,
        consent.text_hash,
        consent.form,
        consent.locale,
        consent.state,
        consent.evidence,
        consent.requested_at,
        consent.lapses_at,
        consent.decided_at,
        consent.ends_at,
        consent.eid,
    )


def first_consent_mac(key: Secret, consent: Any) -> bytes:
    """The MAC that the first release gave a consent; only the upgrade still asks for it."""
    names = (consent.id, consent.subject, consent.purpose, consent.text_hash)
    words = (*names, consent.state, consent.evidence)
    moments = (consent.requested_at, consent.decided_at, consent.ends_at)
    parts = [word.encode() for word in words] + [_moment(moment) for moment in moments]
    return hmac.digest(key.reveal(), pae(_CONSENT, *parts, consent.eid), "sha256")


def first_confirmation_mac(
    key: Secret, *, token_hash: bytes, subject: str, expires_at: datetime, consent: str
) -> bytes:
    """The MAC that the first release gave a consent that a mail asked for."""
    parts = (token_hash, subject.encode(), _moment(expires_at), consent.encode())
    return hmac.digest(key.reveal(), pae(_CONFIRMATION, *parts), "sha256")


def _moment(moment: datetime | None) -> bytes:
    """Microseconds and UTC always, as both databases give them back; empty for none."""
    if moment is None:
        return b""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat(timespec='microseconds')}Z".encode()
