"""How rows of `consent` are signed when an installation of the first release is upgraded."""

from __future__ import annotations

import hmac
from typing import Any

from sqlalchemy import select

from consent import fresh_links, gates, links, tables
from consent.honesty import first_confirmation_mac, first_consent_mac, granting
from storage.adopting import Adopter
from storage.honesty import Value
from storage.secret import Secret

# Sessions of that release are not adopted: they last half an hour.


def adopters(first: Secret) -> list[Adopter]:
    """One for each table; *first* is the key of the first release's MACs.

    Consents were signed before: one that was not keeps granting nothing.
    """

    def consent(row: Any) -> tuple[Value, ...] | None:
        fits = hmac.compare_digest(row.mac, first_consent_mac(first, row))
        return granting(row) if fits else None

    def asked(row: Any) -> tuple[Value, ...] | None:
        names = {"subject": row.subject, "expires_at": row.expires_at, "consent": row.consent}
        mac = first_confirmation_mac(first, token_hash=row.token_hash, **names)
        if not hmac.compare_digest(row.mac, mac):
            return None
        return (row.token_hash, row.subject, row.expires_at, row.consent)

    confirmation, named = tables.confirmation, tables.confirmation_consent
    of_mail = confirmation.c.token_hash == named.c.token_hash
    with_mail = select(named, confirmation.c.subject, confirmation.c.expires_at)
    link = tables.fresh_link
    return [
        Adopter(tables.subject, select(tables.subject), gates.granting_of),
        Adopter(tables.consent, select(tables.consent), consent),
        Adopter(named, with_mail.join(confirmation, of_mail), asked),
        Adopter(tables.handle, select(tables.handle), links.granting),
        Adopter(link, select(link), fresh_links.granting, fresh_links.kept),
    ]
