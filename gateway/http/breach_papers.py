"""What a breach reached, for people and programs: findings, and first drafts of two notices.

Art. 33 and 34 GDPR. Every number is one of the assessment; what it cannot know is named as missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from audit.kinds import Kind
from audit.takers import Taker
from gateway.config.config import Config
from gateway.flows.breaches.assessing import Assessment, People
from gateway.flows.breaches.readable import Matter, Reach, Store
from gateway.http import fact_words
from gateway.look import event_words, moments, written
from gateway.look.papers import Block, Heading, Paper
from gateway.look.translations import languages, name_of_language, translations

FORMAT: Final = "consent-gateway/breach/1"


class Part(StrEnum):
    """What is to be had, by the name of its template."""

    FINDINGS = "breach"
    AUTHORITY = "breach_authority"
    PEOPLE = "breach_people"


@dataclass(frozen=True, slots=True)
class Told:
    """What only people know: what happened and what was done about it, line by line."""

    happened: str = ""
    done: str = ""


def whole(found: Assessment, told: Told, config: Config, locale: str) -> Paper:
    """Findings and both drafts, one behind the other."""
    parts = [paper(part, found, told, config, locale) for part in Part]
    first, *drafts = parts
    blocks = [*first.blocks]
    for draft in drafts:
        blocks += [Heading(draft.title), *map(_below, draft.blocks)]
    return Paper(first.title, locale, first.author, first.foot, blocks)


def _below(one: Block) -> Block:
    """A heading of a draft, below the title of the draft."""
    return replace(one, level=2) if isinstance(one, Heading) else one


def paper(part: Part, found: Assessment, told: Told, config: Config, locale: str) -> Paper:
    """One of them, in *locale*."""
    author, case = config.controller.name, found.question.case
    facts = _facts(found, told, config, locale)
    return written.paper(part, locale, facts, author, f"{author} · {case}")


def to_json(found: Assessment, told: Told, config: Config) -> bytes:
    """All of it for a program, with the drafts in every language."""
    asked = found.question
    value = {
        "format": FORMAT,
        "case": asked.case,
        "assessed_at": found.made_at,
        "since": asked.since,
        "until": asked.until,
        "known_at": asked.known_at,
        "notify_by": found.due_at,
        "taken": [asdict(one) for one in asked.taken],
        "reach": found.reach,
        "findings": [
            {"matter": one.matter, "reach": one.reach, "epochs": sorted(one.epochs)}
            for one in found.findings
        ],
        "would_open_with": list(found.missing),
        "people": _counted(found.inside),
        "readable_people": _counted(found.readable),
        "taken_out": [_taken_out(one) for one in found.takers],
        "papers": {
            locale: {part: _as_text(paper(part, found, told, config, locale)) for part in Part}
            for locale in languages()
        },
    }
    return (json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n").encode()


def _facts(found: Assessment, told: Told, config: Config, locale: str) -> dict[str, Any]:
    """What the templates name."""
    words, asked = _Words(config, locale), found.question
    reaches = {one.matter: one.reach for one in found.findings}
    names = dict.fromkeys(one.name for _, one in sorted(config.senders.items()))
    return {
        "controller": config.controller,
        "senders": ", ".join(names),
        "own_pages": f"{config.server.public_url}/my-data",
        "case": asked.case,
        "made_at": words.moment(found.made_at),
        "since": words.moment(asked.since),
        "until": words.moment(asked.until),
        "known_at": words.moment(asked.known_at),
        "due_at": words.moment(found.due_at),
        "stores": [str(one.store) for one in asked.taken],
        "taken": [words.taken(one) for one in asked.taken],
        "findings": [
            {"matter": str(one.matter), "reach": str(one.reach)} for one in found.findings
        ],
        "reach": str(found.reach),
        "opened": reaches[Matter.PROFILE] is Reach.READABLE,
        "guessing": reaches[Matter.KNOWN] is Reach.BY_GUESSING,
        "exported": any(one.store is Store.EXPORTS for one in asked.taken),
        "missing": [str(one) for one in found.missing],
        "epochs": ", ".join(map(str, sorted(found.findings[0].epochs))),
        "inside": words.people(found.inside),
        "readable": words.people(found.readable),
        "takers": words.takers(found.takers),
        "happened": _lines(told.happened),
        "done": _lines(told.done),
    }


class _Words:
    def __init__(self, config: Config, locale: str) -> None:
        self._config, self._locale = config, locale
        self._words = translations(locale)

    def moment(self, at: datetime) -> str:
        return moments.moment(at, self._locale)

    def taken(self, one: Any) -> dict[str, str]:
        first, last = self.moment(one.first), self.moment(one.last)
        return {"store": str(one.store), "first": first, "last": last}

    def people(self, found: People | None) -> dict[str, Any] | None:
        if found is None:
            return None
        counted = found.counted
        return {
            "people": found.everybody,
            "until": self.moment(found.concerned.until),
            "states": sorted(counted.people.items()),
            "restricted": counted.restricted,
            "languages": [
                (name_of_language(tag, self._locale), number)
                for tag, number in sorted(counted.languages.items(), key=lambda one: -one[1])
            ],
            "consents": [(self._purpose(p), state, n) for p, state, n in counted.consents],
            "records": sum(number for _, _, number in counted.consents),
            "erased_since": found.erased.people,
            "waiting": counted.waiting,
            "messages": found.messages,
        }

    def takers(self, found: Sequence[Taker]) -> dict[str, Any]:
        rows = [self._taker(one) for one in found]
        events = sum(sum(one.kinds.values()) for one in found)
        return {"rows": rows, "people": sum(one.people for one in found), "events": events}

    def _taker(self, one: Taker) -> dict[str, Any]:
        who = self._words.gettext(event_words.ACTORS[one.actor])
        return {
            "who": who if one.name is None else f"{who}, {one.name}",
            "looks": _number(one.kinds, Kind.SUBJECT_ACCESSED, Kind.EVIDENCE_OPENED),
            "exports": _number(one.kinds, Kind.SUBJECT_EXPORTED),
            "logs": _number(one.kinds, Kind.AUDIT_EXPORTED),
            "people": one.people,
            "last": self.moment(one.last),
        }

    def _purpose(self, name: str) -> str:
        return fact_words.purpose(self._config, name, self._locale)


def _number(kinds: Mapping[Kind, int], *wanted: Kind) -> int:
    return sum(kinds.get(kind, 0) for kind in wanted)


def _counted(found: People | None) -> dict[str, Any] | None:
    if found is None:
        return None
    counted = found.counted
    return {
        "known_until": found.concerned.until,
        "people": found.everybody,
        "by_state": dict(counted.people),
        "restricted": counted.restricted,
        "erased_since": found.erased.people,
        "by_language": dict(counted.languages),
        "by_purpose": [
            {"purpose": purpose, "state": state, "people": number}
            for purpose, state, number in counted.consents
        ],
        "waiting_sign_ups": counted.waiting,
        "messages": found.messages,
    }


def _taken_out(one: Taker) -> dict[str, Any]:
    kinds = {str(kind): number for kind, number in one.kinds.items()}
    return {"actor": one.actor, "by": one.name, "events": kinds, "people": one.people} | {
        "last": one.last
    }


def _as_text(made: Paper) -> dict[str, Any]:
    document = made.document()
    return {"title": document["title"], "blocks": document["blocks"]}


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
