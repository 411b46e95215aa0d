"""A mail that somebody came with, as JSON: ours with what is kept of it, or why not.

docs/formats/defence.md says what each name means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from audit import succession
from delivery.alterations import Altered, How
from delivery.authorship import NotOurs, Signed, Why
from gateway.config.config import Config
from gateway.flows.proving.defend import Defended, Reach
from gateway.flows.proving.transmissions import Transmission
from gateway.http import defence_words, evidences
from gateway.http.models import Answer
from gateway.look.translations import SOURCE, translations
from storage.ids import named

FORMAT: Final = "consent-gateway/defence/1"


class SignedView(Answer):
    """Whose key signed the mail, and when; `signed_by` are all domains that did."""

    domain: str
    selector: str
    key: str
    signed_at: datetime | None
    covers: list[str]
    signed_by: list[str]
    as_it_was_sent: bool | None


class DefencePermit(Answer):
    """One permit: what the log says of it, and where; the outcome, where there is one."""

    event_id: str
    decided_at: datetime
    purpose: str
    attempt: int | None
    log: int | None
    index: int | None
    position: int
    of: int | None
    outcome: str | None
    outcome_at: datetime | None
    outcome_event_id: str | None
    code: int | None
    enhanced: str | None


class DefenceGround(Answer):
    """What allowed it."""

    kind: str
    id: str


class OursView(Answer):
    """A mail of ours. `case`: what the log names this by; nothing was opened where `opened` is not.

    `permit` is that of the newest try, `permits` those of all.
    """

    format: Literal["consent-gateway/defence/1"] = "consent-gateway/defence/1"
    ours: Literal[True] = True
    made_at: datetime
    case: str
    opened: bool
    reach: Reach
    meaning: list[str]
    signed: SignedView
    message_id: str | None
    message_id_header: str | None
    subject_id: str | None
    erased: bool
    to_its_address: bool | None
    permit: DefencePermit | None
    permits: list[DefencePermit]
    ground: DefenceGround | None
    consent: dict[str, Any] | None


class AlteredView(Answer):
    """What was done to it, as far as it is proven."""

    body: How | None
    fields: list[str]
    proven: bool


class NotOursView(Answer):
    """A mail that is not ours, or not any more; nobody's data was looked at for it."""

    format: Literal["consent-gateway/defence/1"] = "consent-gateway/defence/1"
    ours: Literal[False] = False
    reason: Why
    meaning: list[str]
    signed_by: list[str]
    selector: str | None
    altered: AlteredView | None


def view(found: Defended | NotOurs, config: Config) -> OursView | NotOursView:
    """As it is answered; sentences are English."""
    if isinstance(found, NotOurs):
        return _not_ours(found)
    consent = found.consent
    permits = [_permit(one) for one in found.sent]
    return OursView(
        made_at=found.at,
        case=found.case,
        opened=found.reach is Reach.WHOLE,
        reach=found.reach,
        meaning=list(meaning(found, SOURCE)),
        signed=_signed(found.signed, found.as_it_was_sent),
        message_id=found.message,
        message_id_header=found.signed.said(b"message-id"),
        subject_id=found.subject,
        erased=found.erased,
        to_its_address=found.to_its_address,
        permit=permits[-1] if permits else None,
        permits=permits,
        ground=_ground(found.sent),
        consent=None if consent is None else evidences.document(consent, config),
    )


def meaning(found: Defended | NotOurs, locale: str) -> Iterator[str]:
    """What it comes to, in sentences."""
    say = translations(locale).gettext
    if isinstance(found, Defended):
        yield say(defence_words.REACHES[found.reach])
        return
    yield say(defence_words.NOT_OURS[found.why])
    if found.altered is not None:
        yield from _what_was_done(found.altered, locale)


def _what_was_done(altered: Altered, locale: str) -> Iterator[str]:
    say, fields = translations(locale).gettext, {"fields": ", ".join(altered.fields)}
    if altered.body is not None:
        yield say(defence_words.BODY[altered.body])
    if altered.proven:
        said = defence_words.FIELDS_PROVEN if altered.fields else defence_words.HEADER_WHOLE
    else:
        said = defence_words.FIELDS_COUNTED if altered.fields else defence_words.HEADER_UNKNOWN
    yield say(said) % fields if altered.fields else say(said)


def _not_ours(found: NotOurs) -> NotOursView:
    altered = found.altered
    return NotOursView(
        reason=found.why,
        meaning=list(meaning(found, SOURCE)),
        signed_by=list(found.signed_by),
        selector=found.selector,
        altered=None
        if altered is None
        else AlteredView(body=altered.body, fields=list(altered.fields), proven=altered.proven),
    )


def _signed(one: Signed, as_it_was_sent: bool | None) -> SignedView:
    return SignedView(
        domain=one.key.domain,
        selector=one.key.selector,
        key=one.key.fingerprint,
        signed_at=one.signature.signed_at,
        covers=[name.decode() for name, count in one.signature.counts().items() if count],
        signed_by=list(one.signed_by),
        as_it_was_sent=as_it_was_sent,
    )


def _permit(one: Transmission) -> DefencePermit:
    entry, place = one.permit.of.entry, one.permit.of.place
    end = one.outcome
    return DefencePermit(
        event_id=named("evt", entry.eid),
        decided_at=entry.at,
        purpose=one.purpose,
        attempt=one.attempt,
        log=None if place is None else succession.generation_of(place),
        index=None if place is None else succession.index_of(place),
        position=one.permit.position,
        of=None if entry.batch is None else entry.batch.count,
        outcome=None if end is None else end.facts.get("outcome"),
        outcome_at=None if end is None else end.at,
        outcome_event_id=None if end is None else named("evt", end.of.entry.eid),
        code=None if end is None else end.facts.get("code"),
        enhanced=None if end is None else end.facts.get("enhanced"),
    )


def _ground(sent: Sequence[Transmission]) -> DefenceGround | None:
    if not sent:
        return None
    kind, name = sent[-1].ground
    return DefenceGround(kind=kind, id=name)
