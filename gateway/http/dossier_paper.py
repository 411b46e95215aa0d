"""A dossier as a paper for its person, in their language: as a page to save, and as PDF.

Each sentence stands in the catalogues, as those of pages do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from audit.kinds import Actor, Kind
from audit.trail import Told
from consent.evidence import MailSent, Requested, ServerReply
from consent.model import GroundKind, State
from delivery.outbox import Status
from gateway.config.config import Config
from gateway.flows.rights.dossier import Dossier
from gateway.flows.rights.overview import Held, OwnData, Step
from gateway.flows.rights.past_mails import Ground, Mail
from gateway.http import fact_words, pages
from gateway.look import code_words, field_words, generated_notices, moments, terms
from gateway.look.code_words import OTHER_GROUND, WAITS
from gateway.look.event_words import ACTORS
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Quote, Table, Words
from gateway.look.translations import name_of_language, say, translations

_STATES: Final = {
    State.PENDING: say("Not confirmed yet"),
    State.CONFIRMED: say("Confirmed"),
    State.REJECTED: say("Rejected"),
    State.WITHDRAWN: say("Withdrawn"),
    State.LAPSED: say("Never confirmed, lapsed"),
    State.EXPIRED: say("Ended by itself"),
}
_STEPS: Final = {
    Kind.CONSENT_REQUESTED: say("Requested"),
    Kind.CONSENT_MAIL_SENT: say("The mail that asks to confirm was sent."),
    Kind.CONSENT_CONFIRMED: say("Confirmed, by the button behind the link in that mail."),
    Kind.CONSENT_REJECTED: say("Rejected."),
    Kind.CONSENT_WITHDRAWN: say("Withdrawn."),
    Kind.CONSENT_LAPSED: say("Ended without a confirmation."),
    Kind.CONSENT_EXPIRED: say(
        "Ended by itself: its time was over, or nothing was sent under it for long."
    ),
    Kind.CONSENT_OBJECTED: say("You objected to advertising."),
}
_GROUNDS: Final = {
    str(GroundKind.CONSENT): say("Your consent"),
    str(GroundKind.CONFIRMATION): say("A request that had to be confirmed"),
    str(GroundKind.SERVICE): say(
        "A service mail: something was asked for, withdrawn, or is to be kept"
    ),
}
_BECAME: Final = {
    str(Status.SENT): say("Sent"),
    str(Status.UNCERTAIN): say("Perhaps sent"),
    str(Status.BOUNCED): say("Not accepted by your mailbox"),
    str(Status.REFUSED): say("Not permitted, not sent"),
    str(Status.CANCELLED): say("Cancelled, not sent"),
    str(Status.FAILED): say("Failed, not sent"),
}
_NO_GROUND: Final = say("Nothing allowed it so far")
_LOOKS: Final = (Kind.SUBJECT_ACCESSED, Kind.SUBJECT_EXPORTED)
_PERIODS: Final = {
    "unconfirmed": say("Sign-ups that were never confirmed"),
    "bodies": say("The contents of mails, after they were sent"),
    "outcomes": say("What became of each mail"),
    "proof": say("The proof of a consent, after its end"),
    "requests": say("What was asked for by right, after the decision"),
}


def paper(dossier: Dossier, config: Config, locale: str) -> Paper:
    """All of it that people read; the JSON file has more of each event, and what mails say."""
    return _Writer(dossier, config, locale).paper()


def periods(config: Config, locale: str) -> list[tuple[str, str]]:
    """How long each kind of record is kept, in words."""
    kept, words = generated_notices.kept_for(config, locale), translations(locale)
    return [(words.gettext(what), kept[name]) for name, what in _PERIODS.items()]


def identifiers(own: OwnData, locale: str) -> list[tuple[str, str]]:
    """What other systems call them, under the names of these; of what they confirmed."""
    say = translations(locale).gettext
    decided = [held.consent.id for held in own.consents if held.consent.state.decided]
    called = {pair for one in decided for pair in own.external_ids.get(one, {}).items()}
    return [(say("Identifier in “%(system)s”") % {"system": n}, v) for n, v in sorted(called)]


def mail_rows(
    mails: Sequence[Mail], own: OwnData, config: Config, locale: str, zone: tzinfo = UTC
) -> list[Sequence[str]]:
    """When, what for, by whom, what allowed it and what became of it: of each mail, in words."""
    requested = {
        held.consent.id: moments.day(held.consent.requested_at, locale, zone)
        for held in own.consents
        if not held.contested
    }
    rows = _MailRows(requested, config, locale, zone)
    return [rows.of(one) for one in mails]


class _MailRows:
    def __init__(
        self, requested: Mapping[str, str], config: Config, locale: str, zone: tzinfo
    ) -> None:
        self._requested = requested
        self._senders = {name: one.name for name, one in config.senders.items()}
        self._config = config
        self._locale = locale
        self._zone = zone
        self._words = translations(locale)

    def of(self, mail: Mail) -> Sequence[str]:
        grounds = dict.fromkeys(map(self._ground, mail.grounds))
        became = self._words.gettext(_BECAME.get(mail.status, WAITS))
        what, line = self._what(mail), mail.subject_line
        return (
            moments.moment(mail.at, self._locale, self._zone),
            f"{what}{self._words.gettext(':')} {line}" if line else what,
            self._senders.get(mail.sender or "", mail.sender or ""),
            "; ".join(grounds) or self._words.gettext(_NO_GROUND),
            f"{became} ({self._reason(mail.reason)})" if mail.reason else became,
        )

    def _reason(self, reason: str) -> str:
        return terms.in_words(terms.REASONS, reason, self._locale)

    def _what(self, mail: Mail) -> str:
        title = fact_words.purpose(self._config, mail.purpose, self._locale)
        # A newsletter that came before the consent would be none that was allowed.
        confirming = any(one.kind == GroundKind.CONFIRMATION for one in mail.grounds)
        if not confirming:
            return title
        return self._words.gettext("Asked to confirm: %(title)s") % {"title": title}

    def _ground(self, ground: Ground) -> str:
        said = self._words.gettext(_GROUNDS.get(ground.kind, OTHER_GROUND))
        asked = self._requested.get(ground.id)
        return f"{said} ({asked})" if asked else said


class _Writer:
    def __init__(self, dossier: Dossier, config: Config, locale: str) -> None:
        self._dossier = dossier
        self._config = config
        self._locale = locale
        self._zone = pages.Brand.neutral(config).zone
        self._words = translations(locale)

    def paper(self) -> Paper:
        say, controller = self._words.gettext, self._config.controller
        made = say("Made on %(moment)s") % {"moment": self._moment(self._dossier.at)}
        blocks = [
            Words(f"{controller.name}, {controller.postal_address}\n{controller.contact}"),
            Words(made),
            *self._left_out(),
            *self._about(),
            *self._consents(),
            *self._mails(),
            *self._asked(),
            *self._looks(),
            *self._recipients(),
            *self._periods(),
        ]
        foot = f"{controller.name} · {made}"
        return Paper(say("Your data"), self._locale, controller.name, foot, blocks)

    def _moment(self, at: datetime) -> str:
        return moments.moment(at, self._locale, self._zone)

    def _day(self, at: datetime) -> str:
        return moments.day(at, self._locale, self._zone)

    def _left_out(self) -> Iterator[Block]:
        dossier, say = self._dossier, self._words.gettext
        contact = {"contact": self._config.controller.contact}
        yield Words(
            say(
                "This paper leaves out the details of each event, such as what was entered with a"
                " sign-up, and what mails say. The JSON file has all of it."
            )
        )
        if dossier.mails_left_out:
            line = say(
                "%(num)s older messages are in no file, for there are too many of them. Ask for"
                " them: %(contact)s"
            )
            yield Words(line % {"num": dossier.mails_left_out, **contact})

    def _about(self) -> Iterator[Block]:
        dossier, own, say = self._dossier, self._dossier.own, self._words.gettext
        yield Heading(say("About you"))
        language = name_of_language(own.locale, self._locale)
        facts = [(say("Email address"), own.email), (say("Language"), language)]
        facts += field_words.answers(own.profile, self._config, self._locale)
        facts += identifiers(own, self._locale)
        facts += [(say("Number"), dossier.subject)]
        if own.restricted_at:
            facts.append((say("Restricted"), self._moment(own.restricted_at)))
        if own.objected_at:
            facts.append((say("Objected"), self._moment(own.objected_at)))
        if own.paused_until:
            facts.append((say("Paused until"), self._day(own.paused_until)))
        if own.waiting:
            facts.append((say("Erasure asked for"), self._moment(own.waiting.asked_at)))
        for one in dossier.holds:
            facts.append((say("Needed for legal claims until"), self._day(one.until)))
        for blocked in dossier.blocks:
            until = self._day(blocked.until) if blocked.until else "–"
            why = terms.in_words(terms.BLOCKS, blocked.kind, self._locale)
            facts.append((say("Mails to this mailbox blocked until"), f"{until} ({why})"))
        yield Facts(facts)

    def _consents(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What you agreed to"))
        if not self._dossier.own.consents:
            yield Words(say("We keep no request made with your address."))
        for held in self._dossier.own.consents:
            yield from self._consent(held)

    def _consent(self, held: Held) -> Iterator[Block]:
        say, consent, text = self._words.gettext, held.consent, held.text
        named = fact_words.purpose(self._config, consent.purpose, self._locale)
        title = text.bundle["title"] if text else named
        yield Heading(f"{title}{say(':')} {say(_STATES[held.state])}", 2)
        yield from map(Words, terms.not_mailed(held.hindrance, self._locale))
        if text:
            yield Quote(text.bundle["text"], text.locale)
        facts = [] if text is None else [(say("Sender"), text.bundle["sender"]["name"])]
        if not held.contested:
            facts.append((say("Requested"), self._moment(consent.requested_at)))
            facts.append((say("Through"), terms.form(consent.form, self._locale)))
        if consent.decided_at:
            facts.append((say("Since"), self._moment(consent.decided_at)))
        if consent.ends_at:
            facts.append((say("Ends"), self._day(consent.ends_at)))
        if held.kept_until:
            facts.append((say("Kept at least until"), self._day(held.kept_until)))
        facts.append((say("Wording"), consent.text_hash))
        if text:
            url = f"{self._config.server.public_url}/notices/{text.bundle['notice']}"
            facts.append((say("Privacy notice"), url))
        said = self._dossier.answers.get(consent.id, {})
        facts += field_words.answers(said, self._config, self._locale)
        yield Facts(facts)
        told = [self._step(step) for step in held.story if step.kind in _STEPS]
        if told:
            yield Listing(told)

    def _step(self, step: Step) -> str:
        said = [self._words.gettext(_STEPS[step.kind])]
        match step.said:
            case Requested(page_url=str(page)):
                said.append(page)
            case MailSent(reply=ServerReply(code=code, text=text)):
                said.append(f"{code} {text}")
            case _:
                pass
        return f"{self._moment(step.at)}{self._words.gettext(':')} {' '.join(said)}"

    def _mails(self) -> Iterator[Block]:
        say, mails = self._words.gettext, self._dossier.mails
        yield Heading(say("Mails to you, and what allowed each"))
        if not mails:
            yield Words(say("We keep no message to you."))
            return
        head = [say("When"), say("What for"), say("Sender"), say("What allowed it")]
        rows = mail_rows(mails, self._dossier.own, self._config, self._locale, self._zone)
        yield Table([*head, say("What became of it")], rows)

    def _asked(self) -> Iterator[Block]:
        say = self._words.gettext
        if self._dossier.requests:
            yield Heading(say("What you asked for by right"))
        for one in self._dossier.requests:
            row = one.row
            yield Facts(
                [
                    (say("Number"), row.id),
                    (say("What for"), say(code_words.RIGHTS[row.right])),
                    (say("Asked for"), self._moment(row.received_at)),
                    (say("Done by"), self._day(row.due_at)),
                    (say("What became of it"), say(code_words.PROGRESS[row.progress])),
                    *([(say("Reason"), one.reason)] if one.reason else []),
                ]
            )

    def _looks(self) -> Iterator[Block]:
        """Who saw it, and why (Art. 15 GDPR; ECJ C-579/21)."""
        say = self._words.gettext
        looks = [one for one in self._dossier.events if one.kind in _LOOKS]
        if looks:
            yield Heading(say("When your data was opened, and why"))
            handed, colon = say("Handed out"), say(":")
            seen = [(self._moment(one.entry.at), self._look(one, colon)) for one in looks]
            yield Listing([f"{at}{colon} {said or handed}" for at, said in seen])

    def _look(self, one: Told, colon: str) -> str | None:
        """Why, and who it was unless it was the person: theirs are words that may pass for ours."""
        why = one.facts.get("why")
        if why is None:
            return None
        actor = one.entry.actor
        if actor is Actor.SUBJECT:
            return terms.in_words(terms.LOOKS, str(why), self._locale)
        who = one.facts.get("operator") or self._words.gettext(ACTORS[actor])
        return f"{who}{colon} {fact_words.why(str(why), actor, self._locale)}"

    def _recipients(self) -> Iterator[Block]:
        say = self._words.gettext
        named = generated_notices.processors(self._config.processors, self._locale)
        if named:
            yield Heading(say("Who else handles your data for us"))
            colon = say(":")
            yield Listing(
                [f"{one['name']}, {one['country']}{colon} {one['role']}" for one in named]
            )

    def _periods(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("How long it is kept"))
        yield Facts(periods(self._config, self._locale))
        yield Words(
            say(
                "Purposes, legal grounds, where the data is from and your rights, also to complain"
                " to an authority: see the privacy notice named with each wording."
            )
        )
