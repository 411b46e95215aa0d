"""Rows that a database administrator cannot forge: a MAC over what permission depends on."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from consent.keys.seal import pae
from consent.model import Evidence, State
from storage.secret import Secret

_DOMAIN = b"consentgw/consent/v1"
_CONFIRMATION = b"consentgw/confirmation/v1"


def consent_mac(
    key: Secret,
    *,
    id: str,
    subject: str,
    purpose: str,
    text_hash: str,
    state: State,
    evidence: Evidence,
    requested_at: datetime,
    decided_at: datetime | None,
    ends_at: datetime | None,
    eid: bytes,
) -> bytes:
    """The MAC of a consent row; write it anew with every change of these columns.

    It does not show that a row is missing, or that an old row was put back
    whole; comparing `eid` with the audit log does (`gateway audit verify`).
    """
    # Joined with their lengths: else the end of one column could be moved to the next unnoticed.
    # In this order for ever: with another one, every row that is stored would look forged.
    words = (id, subject, purpose, text_hash, state, evidence)
    moments = (requested_at, decided_at, ends_at)
    parts = [word.encode() for word in words] + [_moment(moment) for moment in moments]
    return hmac.digest(key.reveal(), pae(_DOMAIN, *parts, eid), "sha256")


def confirmation_mac(
    key: Secret, *, token_hash: bytes, subject: str, expires_at: datetime, consent: str
) -> bytes:
    """The MAC of one consent that a confirmation mail asked for, with the mail's token.

    Without it, whoever can write rows could plant a token of their own for
    somebody's pending request, and confirm it by an honest click.
    """
    parts = (token_hash, subject.encode(), _moment(expires_at), consent.encode())
    return hmac.digest(key.reveal(), pae(_CONFIRMATION, *parts), "sha256")


def honest(stored: bytes, expected: bytes) -> bool:
    """Say whether a stored MAC is the expected one, in constant time."""
    return hmac.compare_digest(stored, expected)


def _moment(moment: datetime | None) -> bytes:
    """Microseconds and UTC always, as both databases give them back; empty for none."""
    if moment is None:
        return b""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat(timespec='microseconds')}Z".encode()
