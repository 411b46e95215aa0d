"""A person's dossier as the desk shows it: what was agreed to, and all that happened, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from audit.kinds import Kind
from audit.trail import Told
from consent.rights import RightsRequest
from gateway.config.config import Config
from gateway.flows.rights.dossier import Dossier
from gateway.flows.rights.dossier import Held as HeldBack
from gateway.flows.rights.overview import Held
from gateway.flows.rights.past_mails import Mail
from gateway.http import dossier_paper, fact_words
from gateway.http.fact_words import FactWords
from gateway.look import code_words, event_words, field_words, terms
from gateway.look.translations import say, translations

NOTHING: Final = say("Nothing allowed it so far")
MOST: Final = 200  # lines; the files have them all
# What a line says beside its kind, in this order, where the event has it.
_SAID: Final = (
    "purpose",
    "channel",
    "operator",
    "caller",
    "why",
    "outcome",
    "reply.code",
    "reason",
)
_TAKEN: Final = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)


def told(dossier: Dossier, config: Config, locale: str) -> Mapping[str, Any]:
    """The variables of the person's page, but who looks and why."""
    own = dossier.own
    return {
        "subject": dossier.subject,
        "email": own.email,
        "language": own.locale,
        "profile": field_words.answers(own.profile, config, locale)
        + dossier_paper.identifiers(own, locale),
        "consents": [_consent(one, config, locale) for one in own.consents],
        "restricted_at": own.restricted_at,
        "objected_at": own.objected_at,
        "paused_until": own.paused_until,
        "waiting": own.waiting,
        "holds": [_hold(one, dossier.events) for one in dossier.holds if one.until > dossier.at],
        "cases": [_case(one.row, locale) for one in dossier.requests],
        "held_until": max((one.until for one in dossier.holds), default=None),
        "mails": [_mail(one, config, locale) for one in dossier.mails[:MOST]],
        "events": [_line(one, config, locale) for one in dossier.events[:MOST]],
        "more": max(0, len(dossier.events) - MOST) or dossier.events_left_out,
    }


def _hold(one: HeldBack, events: Sequence[Told]) -> Mapping[str, Any]:
    """A hold, with why it was placed, as the log has it."""
    placed = (event for event in events if event.kind is Kind.HOLD_PLACED)
    why = next((str(e.facts["reason"]) for e in placed if e.facts.get("hold") == one.id), None)
    return {"id": one.id, "placed_at": one.placed_at, "until": one.until, "why": why}


def _case(one: RightsRequest, locale: str) -> Mapping[str, Any]:
    words = translations(locale)
    return {
        "id": one.id,
        "what": words.gettext(code_words.RIGHTS[one.right]),
        "state": words.gettext(code_words.PROGRESS[one.progress]),
        "due_at": one.due_at,
    }


def _consent(held: Held, config: Config, locale: str) -> Mapping[str, Any]:
    text, consent = held.text, held.consent
    bundle: Mapping[str, Any] = {} if text is None else text.bundle
    return {
        "id": consent.id,
        "purpose": consent.purpose,
        "title": bundle.get("title") or fact_words.purpose(config, consent.purpose, locale),
        "text": bundle.get("text"),
        "locale": consent.locale,
        "state": held.state,
        "not_mailed": None
        if held.hindrance is None
        else terms.in_words(terms.REASONS, held.hindrance, locale),
        "requested_at": None if held.contested else consent.requested_at,
        "decided_at": consent.decided_at,
        "stands": held.state in ("confirmed", "pending"),
    }


def _mail(one: Mail, config: Config, locale: str) -> Mapping[str, Any]:
    words = translations(locale)
    known, other = code_words.GROUNDS, code_words.OTHER_GROUND
    ground = known.get(one.grounds[-1].kind, other) if one.grounds else NOTHING
    became = words.gettext(code_words.BECAME.get(one.status, code_words.WAITS))
    reason = None if one.reason is None else terms.in_words(terms.REASONS, one.reason, locale)
    return {
        "at": one.at,
        "what": fact_words.purpose(config, one.purpose, locale),
        "ground": words.gettext(ground),
        "became": became if reason is None else f"{became}{words.gettext(':')} {reason}",
    }


def _line(one: Told, config: Config, locale: str) -> Mapping[str, Any]:
    words, actor = translations(locale), one.entry.actor
    said = FactWords(config, locale).of(one.kind, one.facts, _SAID, actor)
    return {
        "at": one.entry.at,
        "kind": one.kind,
        "what": words.gettext(event_words.KINDS[one.kind]),
        "who": words.gettext(event_words.ACTORS[actor]),
        "said": list(said),
        "plainly": one.kind in _TAKEN,
    }
