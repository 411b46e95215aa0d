"""What an event says, in the reader's words: each fact under a label, its value as people read it.

A value that has no words here was chosen by a caller or the operator, and stands as they wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from audit.kinds import Actor, Kind
from consent import kept_outside
from consent.evidence import BASIS, BY_BUTTON
from gateway.config.config import Config
from gateway.flows.desk import sign_in
from gateway.flows.proving.export_forms import Form
from gateway.flows.rights import address_mails, fresh_link, lifted
from gateway.look import code_words, event_words, field_words, moments, terms
from gateway.look.translations import choose_locale, name_of_language, say, translations

SERVICE_MAILS: Final[Mapping[str, str]] = {
    address_mails.PURPOSE: say("Change of your address"),
    sign_in.PURPOSE: say("Your link to the desk"),
    fresh_link.PURPOSE: say("Your personal link"),
    lifted.PURPOSE: say("Something you had stopped was lifted"),
    kept_outside.PURPOSE: say("Checkpoints of the audit log"),
}
FILES: Final[Mapping[str, str]] = {
    Form.BUNDLE: say("Bundle that checks itself (zip)"),
    Form.PDF: say("Paper (PDF)"),
    Form.XLSX: say("Spreadsheet (xlsx)"),
    Form.CSV: say("Tables (csv)"),
    Form.JSONL: say("Lines for a program (jsonl)"),
    "json": say("For a program (JSON)"),
}
_ENDED: Final = (Kind.CONSENT_LAPSED, Kind.CONSENT_EXPIRED)
_OF_MAILS: Final = (
    Kind.PERMIT_BATCH,
    Kind.DELIVERY_BATCH,
    Kind.MESSAGE_REFUSED,
    Kind.MESSAGE_CANCELLED,
)
_OF_SYSTEMS: Final = (Kind.CAMPAIGN_PAUSED, Kind.CAMPAIGN_CANCELLED, Kind.OPERATOR_REVOKED)
_YES: Final = {"yes": say("yes"), "no": say("no"), "true": say("yes"), "false": say("no")}
# Whatever the event is.
_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "action": {BY_BUTTON: say("by the button on the page behind the link")},
    "answer": {"granted": say("permitted"), **terms.REASONS},
    "basis": {BASIS: say("consent (Art. 6(1)(a) GDPR)")},
    "cause": code_words.CAUSES,
    "client": terms.CLIENTS,
    "contested": _YES,
    "format": FILES,
    "ground.kind": code_words.GROUNDS,
    "handle_replaced": _YES,
    "held": _YES,
    "how": {"mail": say("by a link in a mail"), "printed": say("by a link that was printed")},
    "outcome": code_words.OUTCOMES,
    "passed": _YES,
    "relay": {
        "relay": say("a relay"),
        "inbox": say("an inbox of its own, which nothing leaves"),
        "direct": say("the server of the mailbox"),
    },
    "rendered_by": code_words.SHOWN_BY,
    "right": code_words.RIGHTS,
    "role": code_words.ROLES,
    "scope": {"authority": say("an authority")},
    "stop": code_words.STOPS,
    "what": code_words.CORRECTED,
}
# Where the same name says something else, and others' words must not be taken for ours.
_OF_KIND: Final[Mapping[tuple[Kind, str], Mapping[str, str]]] = {
    **{(kind, "why"): code_words.ENDED for kind in _ENDED},
    **{(kind, "reason"): terms.REASONS for kind in (*_OF_MAILS, *_OF_SYSTEMS)},
    (Kind.SUPPRESSION_ADDED, "why"): terms.BLOCKS,
    (Kind.KEY_ROTATED, "kind"): code_words.KEYS,
    (Kind.KEY_ROTATED, "state"): code_words.KEY_STATES,
}
_LABELS: Final[Mapping[tuple[Kind, str], str]] = {
    (Kind.AUDIT_EXPORTED, "from"): say("From this byte on"),
    (Kind.AUDIENCE_COUNTED, "refused"): say("Would not be mailed"),
}
_MOMENTS: Final = ("since", "until", "before")
_LISTS: Final = ("stores", "taken")
_OPENED: Final = (Kind.SUBJECT_ACCESSED, Kind.EVIDENCE_OPENED)
_ANSWERS: Final = ("profile", "answers")


def purpose(config: Config, name: str, locale: str) -> str:
    """A purpose by its title, a mail of ours by what it is for; one that is gone by its name."""
    own, known = SERVICE_MAILS.get(name), config.purposes.get(name)
    if own is not None:
        return translations(locale).gettext(own)
    if known is None:
        return terms.quoted(name, locale)
    return known.title[choose_locale(None, locale, tuple(known.title))]


def form(name: str, locale: str) -> str:
    """Behind a label that says that it is one: ours in words, another as it is called."""
    known = name in terms.FORMS
    return terms.in_words(terms.FORMS, name, locale) if known else terms.quoted(name, locale)


def _sender(config: Config, name: str, locale: str) -> str:
    known = config.senders.get(name)
    return terms.quoted(name, locale) if known is None else known.name


def _field(config: Config, name: str, locale: str) -> str:
    return field_words.label_of(config.field_named(name), name, locale)


_NAMED: Final[Mapping[str, Callable[[Config, str, str], str]]] = {
    "channel": lambda _, value, locale: terms.channel(value, locale),
    "fields": _field,
    "form": lambda _, value, locale: form(value, locale),
    "locale": lambda _, value, locale: name_of_language(value, locale),
    "purpose": purpose,
    "sender": _sender,
}


def why(said: str, actor: Actor, locale: str) -> str:
    """Why somebody looked, as others read it: theirs are words that may pass for ours."""
    known = {Actor.SUBJECT: terms.LOOKS_OF_OTHERS, Actor.OPERATOR: terms.LOOKS_OF_OURS}
    return terms.in_words(known.get(actor, {}), said, locale)


@dataclass(frozen=True, slots=True)
class FactWords:
    """For one reader; moments are of *zone*."""

    config: Config
    locale: str
    zone: tzinfo = UTC

    def label(self, kind: Kind, name: str) -> str:
        """What a fact or a reference is called; one of another release by its name."""
        say = translations(self.locale).gettext
        if kind is Kind.ROWS_ADOPTED:
            return terms.in_words(code_words.TABLES, name, self.locale)
        known = _LABELS.get((kind, name)) or event_words.FACTS.get(name)
        if known is not None:
            return say(known)
        return self._counted(name) or self._below(name) or name

    def value(self, kind: Kind, name: str, value: str, actor: Actor | None = None) -> str:
        """What it says; what is not known here stands as it is."""
        if name == "why" and kind in _OPENED and actor is not None:
            return why(value, actor, self.locale)
        named = _NAMED.get(_whole(name))
        if named is not None:
            return named(self.config, value, self.locale)
        known = _OF_KIND.get((kind, name)) or _VALUES.get(name)
        if known is not None:
            return terms.in_words(known, value, self.locale)
        if name in _LISTS:
            return ", ".join(self._store(one) for one in value.split("+"))
        return self._answer(name, value) or self._moment(name, value) or value

    def of(
        self, kind: Kind, facts: Mapping[str, Any], names: tuple[str, ...], actor: Actor
    ) -> Iterator[tuple[str, str]]:
        """Those of *names* that an event says, under their labels; names have dots inside."""
        for name in names:
            value: Any = facts
            for step in name.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            if isinstance(value, str | int):
                yield self.label(kind, name), self.value(kind, name, str(value), actor)

    def _counted(self, name: str) -> str | None:
        """The messages of a campaign, by their end."""
        say = translations(self.locale).gettext
        if name in code_words.STATES:
            return say(code_words.STATES[name])
        status, _, reason = name.partition("_")
        if status not in code_words.STATES or reason not in terms.REASONS:
            return None
        return f"{say(code_words.STATES[status])} ({say(terms.REASONS[reason])})"

    def _below(self, name: str) -> str | None:
        """One of several, or an answer by what its field is called."""
        above, _, last = name.rpartition(".")
        known = event_words.FACTS.get(above)
        if above in _ANSWERS:
            said = translations(self.locale).gettext("Typed: %(field)s")
            return said % {"field": _field(self.config, last, self.locale)}
        if known is None:
            return None
        label = translations(self.locale).gettext(known)
        return label if last.isdecimal() else f"{label} ({last})"

    def _answer(self, name: str, value: str) -> str | None:
        above, _, last = name.rpartition(".")
        if above not in _ANSWERS:
            return None
        return field_words.in_words(self.config.field_named(last), value, self.locale)

    def _store(self, word: str) -> str:
        return terms.in_words(code_words.STORES, word, self.locale)

    def _moment(self, name: str, value: str) -> str | None:
        """A moment as it is read; None for what is none."""
        if not name.endswith("_at") and name not in _MOMENTS:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        return None if at.tzinfo is None else moments.moment(at, self.locale, self.zone)


def _whole(name: str) -> str:
    """The name of a list, of what is one of it."""
    above, _, last = name.rpartition(".")
    return above if last.isdecimal() else name
