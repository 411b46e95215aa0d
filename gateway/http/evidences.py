"""The evidence of one consent as JSON; docs/formats/evidence.md says what each name means."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from audit import succession
from consent.evidence import ServerReply
from consent.mail_evidence import without_links
from consent.specimens import Specimen
from delivery import outcome
from gateway.config.config import Config
from gateway.flows.proving.consent_proof import ConsentEvidence, SentMail, Step
from gateway.flows.proving.transmissions import Transmission
from gateway.http.evidence_words import FAULTS, UNKNOWN
from storage.ids import named

FORMAT: Final = "consent-gateway/evidence/1"


def to_json(found: ConsentEvidence, config: Config) -> bytes:
    """All of it, in UTF-8."""
    return json.dumps(document(found, config), ensure_ascii=False, indent=1).encode() + b"\n"


def document(found: ConsentEvidence, config: Config) -> dict[str, Any]:
    """All of it, as values that JSON has."""
    controller = config.controller
    return {
        "format": FORMAT,
        "made_at": _moment(found.at),
        "controller": {
            "name": controller.name,
            "postal_address": controller.postal_address,
            "contact": controller.contact,
        },
        "log": config.audit.origin,
        "consent": _consent(found),
        "wording": _wording(found),
        "notice": _notice(found),
        "steps": [_step(one) for one in found.steps],
        "corrections": [_step(one) for one in found.corrections],
        "mails": [_mail(one) for one in found.mails],
        "uses": None if found.uses is None else [_use(one) for one in found.uses.sent],
        "uses_left_out": found.uses is not None and not found.uses.are_all,
        "specimens": [_specimen(one) for one in found.specimens.values()],
        "unknown": [{"what": one, "means": UNKNOWN[one]} for one in found.unknown],
        "faults": [
            {"what": one.what, "name": one.name, "means": FAULTS[one.what]} for one in found.faults
        ],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _consent(found: ConsentEvidence) -> dict[str, Any]:
    consent = found.consent
    return {
        "consent_id": consent.id,
        "subject_id": consent.subject,
        "purpose": consent.purpose,
        "state": found.state,
        "evidence": consent.evidence,
        "language": consent.locale,
        "requested_at": None if found.contested else _moment(consent.requested_at),
        "decided_at": _moment(consent.decided_at),
        "ends_at": _moment(consent.ends_at),
        "contested": found.contested,
        "erased": found.erased,
        "locked_until": _moment(found.locked_until),
    }


def _wording(found: ConsentEvidence) -> dict[str, Any] | None:
    text = found.text
    if text is None:
        return None
    published = _moment(text.published_at)
    return {"hash": text.hash, "published_at": published, "bundle": dict(text.bundle)}


def _notice(found: ConsentEvidence) -> dict[str, Any] | None:
    notice = found.notice
    if notice is None:
        return None
    published = _moment(notice.published_at)
    return {"hash": notice.hash, "published_at": published, "text": notice.body.decode()}


def _step(step: Step) -> dict[str, Any]:
    place = step.place
    return {
        "event_id": named("evt", step.entry.eid),
        "kind": step.kind,
        "at": _moment(step.at),
        "actor": step.entry.actor,
        "log": None if place is None else succession.generation_of(place),
        "index": None if place is None else succession.index_of(place),
        "facts": without_links(step.said.facts()),
    }


def _mail(mail: SentMail) -> dict[str, Any]:
    said = mail.said
    return {
        "event_id": named("evt", mail.eid),
        "message_id": said.message,
        "sent_at": _moment(mail.sent_at),
        "hash": said.mail,
        "from": said.sender_address,
        "message_id_header": said.message_id_header,
        "withheld": mail.withheld,
        "remade": mail.raw is not None,
        "words": None if mail.raw is None else words(mail.raw),
        "raw": None if mail.raw is None else base64.b64encode(mail.raw).decode(),
        "link": {"token": said.token, "in_mail": mail.has_link, "confirmed": mail.was_pressed},
        "session": None if said.session is None else said.session.facts(),
        "reply": None if said.reply is None else _reply(said.reply),
    }


def _reply(reply: ServerReply) -> dict[str, Any]:
    return reply.facts() | {"queue_id": outcome.queue_id(reply.text)}


def words(raw: bytes) -> dict[str, str | None]:
    """What a reader of the mail saw: who wrote to whom, when, about what, and its text."""
    mail = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    body = mail.get_body(("plain",))
    heads = {name.lower(): str(mail[name]) for name in ("From", "To", "Date", "Subject")}
    return {**heads, "text": None if body is None else str(body.get_content())}


def _use(one: Transmission) -> dict[str, Any]:
    place, end = one.permit.of.place, one.outcome
    said = {} if end is None else end.facts
    return {
        "message_id": one.permit.facts.get("message"),
        "attempt": one.attempt,
        "purpose": one.purpose,
        "permitted_at": _moment(one.permit.at),
        "event_id": named("evt", one.permit.of.entry.eid),
        "log": None if place is None else succession.generation_of(place),
        "index": None if place is None else succession.index_of(place),
        "position": one.permit.position,
        "outcome": said.get("outcome"),
        "outcome_at": None if end is None else _moment(end.at),
        "code": said.get("code"),
        "hash": said.get("mail"),
    }


def _specimen(one: Specimen) -> dict[str, Any]:
    return {"hash": one.name, "what": one.what, "body": one.body.decode("utf-8", "replace")}
