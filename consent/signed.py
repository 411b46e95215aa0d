"""The signed tables of `consent`, and how their rows of the first release are adopted."""

from __future__ import annotations

import hmac
from typing import Any

from sqlalchemy import select

from consent import fresh_links, gates, links, tables
from consent.honesty import first_confirmation_mac, first_consent_mac, granting
from storage.honesty import Value
from storage.secret import Secret
from storage.signed import Adopter, SignedTable

_CONFIRMATION, _TIE = tables.confirmation, tables.confirmation_consent
_WITH_MAIL = select(_TIE, _CONFIRMATION.c.subject, _CONFIRMATION.c.expires_at).join(
    _CONFIRMATION, _CONFIRMATION.c.token_hash == _TIE.c.token_hash
)


def _tied(row: Any) -> tuple[Value, ...]:
    return (row.token_hash, row.subject, row.expires_at, row.consent)


CONSENT = SignedTable(tables.consent, select(tables.consent), granting)
TIE = SignedTable(_TIE, _WITH_MAIL, _tied)
SUBJECT = SignedTable(tables.subject, select(tables.subject), gates.granting_of)
HANDLE = SignedTable(tables.handle, select(tables.handle), links.granting)
FRESH_LINK = SignedTable(tables.fresh_link, select(tables.fresh_link), fresh_links.granting)
SESSION = SignedTable(tables.session, select(tables.session), fresh_links.granting_session)


def adopters(first: Secret) -> list[Adopter]:
    """One for each table; *first* is the key of the first release's MACs.

    Consents were signed before: one that was not keeps granting nothing. There
    are no sessions to adopt: the migration deletes them.
    """

    def consent_fits(row: Any) -> bool:
        return hmac.compare_digest(row.mac, first_consent_mac(first, row))

    def tie_fits(row: Any) -> bool:
        names = {"subject": row.subject, "expires_at": row.expires_at, "consent": row.consent}
        mac = first_confirmation_mac(first, token_hash=row.token_hash, **names)
        return hmac.compare_digest(row.mac, mac)

    return [
        Adopter(SUBJECT),
        Adopter(CONSENT, consent_fits),
        Adopter(TIE, tie_fits),
        Adopter(HANDLE),
        Adopter(FRESH_LINK, kept=fresh_links.kept),
    ]
