"""What an erasure did, as whoever asked for it is told; names nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from consent.erasures import Erasure
from gateway.config.config import Config, Suppress
from gateway.flows.proving import certificate
from gateway.flows.proving.certificate import Certificate
from gateway.http.models import Answer
from gateway.look import generated_notices
from gateway.look.translations import SOURCE
from storage.ids import named

_NAMED: Final = ("name", "role", "country")


class LockedEvidence(Answer):
    """What stays: nobody is found by it, and it is destroyed on its date."""

    what: str
    until: datetime


class ToldView(Answer):
    """Somebody who received the data, and when they acknowledged that it is erased."""

    webhook: str
    name: str
    acknowledged_at: datetime | None = None
    given_up: bool = False


class RecipientView(Answer):
    """Who else had the person's data, and for what."""

    name: str
    role: str
    country: str


class CertificateView(Answer):
    """What was destroyed, and what the log has of it; names nobody. `meaning` says it in words.

    `copies_until`: when, by what the controller says of its backups, no copy can be read any more.
    `address_checksum`: whose address leaves a keyed checksum, for twelve months at most, so that
    nobody has it asked again: of everybody (`always`), or where mails were objected to or stopped.
    The counts are for who answers for the data: a person's own certificate has none, for by a mail
    more or less it would tell whether somebody else's mailbox may be asked.
    """

    done_at: datetime
    keys_destroyed: list[str]
    payloads_deleted: int | None = None
    items_deleted: int | None = None
    event_id: str
    meaning: list[str]
    copies: str
    told: list[ToldView]
    copies_until: datetime
    recipients: list[RecipientView]
    locked_evidence: LockedEvidence | None = None
    address_checksum: Literal["objection", "always"] | None = None


class ErasureView(Answer):
    erasure_id: str
    state: str
    channel: str
    received_at: datetime
    asked_at: datetime
    due_at: datetime
    locked_until: datetime | None = None
    certificate: CertificateView | None = None


def view(
    erasure: Erasure,
    shown: Certificate | None,
    config: Config,
    locale: str = SOURCE,
    *,
    counted: bool = True,
) -> ErasureView:
    """An erasure as it is answered, with its certificate once there is one.

    In *locale* are names of countries, and what recipients do; sentences are English.
    """
    return ErasureView(
        erasure_id=erasure.id,
        state=erasure.state,
        channel=erasure.channel,
        received_at=erasure.received_at,
        asked_at=erasure.asked_at,
        due_at=erasure.due_at,
        locked_until=erasure.locked_until,
        certificate=None if shown is None else _shown(shown, config, locale, counted=counted),
    )


def _shown(made: Certificate, config: Config, locale: str, *, counted: bool) -> CertificateView:
    until = made.locked_until
    handled = generated_notices.processors(config.processors, locale)
    suppress = config.rights.suppress_after_erasure
    return CertificateView(
        done_at=made.done_at,
        keys_destroyed=list(made.keys_destroyed),
        payloads_deleted=made.payloads if counted else None,
        items_deleted=made.items if counted else None,
        event_id=named("evt", made.eid),
        meaning=certificate.in_words(made, suppress, counted=counted),
        address_checksum=None if suppress is Suppress.NONE else suppress.value,
        copies=certificate.copies(made),
        told=[
            ToldView(
                webhook=one.webhook,
                name=one.name,
                acknowledged_at=one.acknowledged_at,
                given_up=one.given_up,
            )
            for one in made.told
        ],
        copies_until=certificate.copies_until(made, config.retention.takings_away),
        recipients=[RecipientView(**{k: one[k] for k in _NAMED}) for one in handled],
        locked_evidence=None
        if until is None
        else LockedEvidence(what=certificate.EVIDENCE, until=until),
    )
