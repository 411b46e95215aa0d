"""A dossier as JSON (Art. 15 and 20 GDPR); docs/formats/dossier.md says what each name means.

Written piece by piece, so that whoever else wants the processor gets it in between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from audit.kinds import Kind
from audit.trail import Told
from consent.mail_evidence import without_links
from gateway.config.config import Config
from gateway.flows.rights import overview
from gateway.flows.rights.dossier import Dossier, Held, Request
from gateway.flows.rights.past_mails import Ground, Mail
from gateway.look import generated_notices
from gateway.look.translations import SOURCE
from storage.ids import named

FORMAT: Final = "consent-gateway/dossier/1"
_OURS: Final = frozenset({"comp", "eid", "sprev", "sseq", "sub"})  # that bind facts to their entry
_NOBODYS: Final = frozenset({"consent", "purpose", "text"})  # of a request that may not be theirs


def to_json(dossier: Dossier, config: Config) -> bytes:
    """All of it, in UTF-8."""
    head = _members(_head(dossier, config))
    contested = {one.consent.id for one in dossier.own.consents if one.contested}
    lists = (
        ("consents", map(_consent, dossier.own.consents)),
        ("messages", map(_mail, dossier.mails)),
        ("events", (_event(one, contested) for one in dossier.events)),
    )
    pieces = ["{", head, *(piece for name, many in lists for piece in _list(name, many)), "\n}\n"]
    return "".join(pieces).encode()


def _members(values: Mapping[str, Any]) -> str:
    return ",\n".join(f"{_text(name)}: {_text(value)}" for name, value in values.items())


def _list(name: str, many: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield f",\n{_text(name)}: ["
    for n, one in enumerate(many):
        yield (",\n" if n else "\n") + _text(one)
    yield "]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.days
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _head(dossier: Dossier, config: Config) -> dict[str, Any]:
    own, controller = dossier.own, config.controller
    return {
        "format": FORMAT,
        "made_at": dossier.at,
        "controller": {
            "name": controller.name,
            "postal_address": controller.postal_address,
            "contact": controller.contact,
        },
        "subject_id": dossier.subject,
        "email": own.email,
        "language": own.locale,
        "profile": dict(own.profile),
        "restricted_at": own.restricted_at,
        "objected_at": own.objected_at,
        "paused_until": dossier.pace.paused_until,
        "days_between_mails": dossier.pace.apart,
        "erasure": None if own.waiting is None else asdict(own.waiting),
        "rights_requests": [_request(one) for one in dossier.requests],
        "holds": [_hold(one) for one in dossier.holds],
        "blocks": [asdict(one) for one in dossier.blocks],
        "service_mails": [{"kind": kind, "at": at} for kind, at in dossier.service_mails],
        "recipients": generated_notices.processors(config.processors, SOURCE),
        "kept_for": generated_notices.kept_for(config, SOURCE),
        "left_out": {
            "messages": dossier.mails_left_out,
            "contents": sum(one.left_out for one in dossier.mails),
            "older_events": dossier.events_left_out,
        },
        "external_ids": {name: dict(ids) for name, ids in own.external_ids.items()},
        "answers_that_wait": {name: dict(said) for name, said in dossier.answers.items()},
    }


def _request(one: Request) -> dict[str, Any]:
    row = one.row
    return {
        "request_id": row.id,
        "kind": row.right,
        "state": row.progress,
        "channel": row.channel,
        "received_at": row.received_at,
        "due_at": row.due_at,
        "decided_at": row.decided_at,
        "reason": one.reason,
    }


def _hold(one: Held) -> dict[str, Any]:
    return {"placed_at": one.placed_at, "until": one.until}


def _consent(held: overview.Held) -> dict[str, Any]:
    consent = held.consent
    return {
        "consent_id": consent.id,
        "purpose": consent.purpose,
        "state": held.state,
        "evidence": consent.evidence,
        "contested": held.contested,
        "requested_at": None if held.contested else consent.requested_at,
        "decided_at": consent.decided_at,
        "ends_at": consent.ends_at,
        "kept_until": held.kept_until,
        "form": None if held.contested else consent.form,
        "language": consent.locale,
        "text": {"hash": consent.text_hash, "bundle": held.text and held.text.bundle},
        "story": [
            {"kind": step.kind, "at": step.at, "facts": without_links(step.said.facts())}
            for step in held.story
        ],
    }


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "message_id": mail.id,
        "kind": mail.kind,
        "purpose": mail.purpose,
        "sender": mail.sender,
        "status": mail.status,
        "reason": mail.reason,
        "created_at": mail.at,
        "ended_at": mail.ended_at,
        "permits": [_ground(one) for one in mail.grounds],
        "content": mail.says,
    }


def _ground(one: Ground) -> dict[str, Any]:
    return {
        "ground": {"kind": one.kind, "id": one.id},
        "decided_at": one.decided_at,
        "spent_at": one.spent_at,
        "outcome": one.outcome,
        "code": one.code,
        "reply": one.reply,
    }


def _event(told: Told, contested: Collection[str]) -> dict[str, Any]:
    said = without_links(told.facts)
    facts = {name: one for name, one in said.items() if name not in _OURS}
    if told.kind is Kind.CONSENT_REQUESTED and facts.get("consent") in contested:
        # Whoever else signed them up typed the rest, and it was never theirs.
        facts = {name: one for name, one in facts.items() if name in _NOBODYS}
    return {
        "event_id": named("evt", told.eid),
        "kind": told.kind,
        "at": told.entry.at,
        "actor": told.entry.actor,
        "facts": facts,
    }
