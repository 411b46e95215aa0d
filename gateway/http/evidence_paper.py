"""The evidence of one consent as a paper, for who reads and judges it.

It says what happened, in order; what was read, verbatim; what does not fit, and what is not
known. Each moment stands in local time and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from audit import succession
from audit.kinds import Actor, Kind
from consent.answers import in_a_line
from consent.evidence import Confirmed, EndedByItself, MailSent, Objected, Requested, TakenBack
from consent.mail_evidence import Session
from consent.model import State
from delivery import outcome
from gateway.config.config import Config
from gateway.flows.proving.consent_proof import ConsentEvidence, SentMail, Step
from gateway.http import evidences, fact_words
from gateway.http.evidence_words import FAULTS, UNKNOWN
from gateway.look import code_words, event_words, field_words, markdown, moments, terms
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Quote, Words
from gateway.look.translations import say, translations
from storage.ids import named

_CONTROLLER: Final = ("name", "postal_address", "contact")
_STATES: Final = {
    State.PENDING: say("Asked for, and not confirmed: this is no consent."),
    State.CONFIRMED: say("Confirmed: the consent stands."),
    State.REJECTED: say("Rejected: this is no consent."),
    State.WITHDRAWN: say("Confirmed, and withdrawn later."),
    State.LAPSED: say("Never confirmed: this is no consent."),
    State.EXPIRED: say("Confirmed, and ended by itself later."),
}
_STEPS: Final[Mapping[Kind, str]] = {
    Kind.CONSENT_REQUESTED: say("It was asked for, with the address %(address)s."),
    Kind.CONSENT_MAIL_SENT: say("The mail that asks to confirm was handed to the mail server."),
    Kind.CONSENT_CONFIRMED: say(
        "It was confirmed: by the button on the page behind the link in that mail."
    ),
    Kind.CONSENT_REJECTED: say("It was rejected: %(channel)s."),
    Kind.CONSENT_WITHDRAWN: say("It was withdrawn: %(channel)s."),
    Kind.CONSENT_LAPSED: say("It ended without a confirmation."),
    Kind.CONSENT_EXPIRED: say("It ended by itself."),
    Kind.CONSENT_OBJECTED: say("The person objected to advertising: %(channel)s."),
}


def paper(found: ConsentEvidence, config: Config, locale: str) -> Paper:
    """All of it that a reader can judge by; the JSON file has each fact under its name."""
    return _Writer(found, config, locale).paper()


def proof(found: ConsentEvidence, config: Config, locale: str) -> list[Block]:
    """What of it stands in a paper about something else: all but the notice, and how to check."""
    return _Writer(found, config, locale).proof()


class _Writer:
    def __init__(self, found: ConsentEvidence, config: Config, locale: str) -> None:
        self._found = found
        self._config = config
        self._locale = locale
        self._words = translations(locale)
        zone = config.rights.time_zone
        self._zone = None if zone is None else ZoneInfo(zone)

    def paper(self) -> Paper:
        say, controller = self._words.gettext, self._config.controller
        made = say("Made on %(moment)s") % {"moment": self._moment(self._found.at)}
        blocks = [
            Words(f"{controller.name}, {controller.postal_address}\n{controller.contact}"),
            Words(made),
            *self._faults(),
            *self._in_short(),
            *self._wording(),
            *self._story(),
            *self._request(),
            *self._mails(),
            *self._uses(),
            *self._unknown(),
            *self._checking(),
            *self._notice(),
        ]
        foot = f"{controller.name} · {self._found.consent.id}"
        title = say("Evidence of a consent")
        return Paper(title, self._locale, controller.name, foot, blocks)

    def proof(self) -> list[Block]:
        return [
            *self._faults(),
            *self._in_short(),
            *self._wording(),
            *self._story(),
            *self._request(),
            *self._mails(),
            *self._unknown(),
        ]

    def _moment(self, at: datetime) -> str:
        return moments.here_and_utc(at, self._locale, self._zone)

    def _faults(self) -> Iterator[Block]:
        if self._found.faults:
            say = self._words.gettext
            yield Heading(say("What does not fit"))
            yield Listing(
                [f"{say(FAULTS[one.what])} {one.name}".strip() for one in self._found.faults]
            )

    def _in_short(self) -> Iterator[Block]:
        found, say = self._found, self._words.gettext
        consent, asked = found.consent, found.requested
        yield Heading(say("In short"))
        yield Words(say(_STATES[found.state]))
        if found.contested:
            yield Words(
                say(
                    "Whoever confirmed may not have asked. What the request said is left out and"
                    " proves nothing; who confirmed saw the wording on our page behind the link."
                )
            )
        address = self._address()
        facts = [] if address is None else [(say("Address"), address)]
        facts += [(say("Purpose"), self._purpose())]
        if asked is not None:
            facts.append((say("Asked for"), self._moment(asked.received_at)))
        if found.confirmed is not None:
            facts.append((say("Confirmed"), self._moment(found.confirmed.confirmed_at)))
        if consent.ends_at is not None:
            facts.append((say("Ends"), self._moment(consent.ends_at)))
        facts += [(say("Number"), consent.id), (say("Person"), consent.subject)]
        if found.erased and found.locked_until is not None:
            kept = say("The person was erased; this evidence stays locked until %(moment)s")
            facts.append((say("Erased"), kept % {"moment": self._moment(found.locked_until)}))
        yield Facts(facts)

    def _address(self) -> str | None:
        """As it was typed; of who may not have asked, as the mail that they confirmed by has it."""
        if self._found.requested is not None:
            return self._found.requested.address_typed
        made = [mail.said.made_of for mail in self._found.mails if mail.raw is not None]
        return next((one.values.get("to") for one in made if one is not None), None)

    def _purpose(self) -> str:
        """By the title that was agreed to; where that is gone, by the one that it has now."""
        text, name = self._found.text, self._found.consent.purpose
        if text is not None:
            return str(text.bundle["title"])
        return fact_words.purpose(self._config, name, self._locale)

    def _wording(self) -> Iterator[Block]:
        text, say = self._found.text, self._words.gettext
        yield Heading(say("What was agreed to, word for word"))
        if text is None:
            altered = FAULTS["consent_text"]
            yield Words(say(altered))
            return
        said = text.bundle
        yield Quote(f"{said['title']}\n{said['text']}\n{said['withdraw']}", text.locale)
        controller, sender = said["controller"], said["sender"]
        yield Facts(
            [
                (say("Controller"), ", ".join(controller[one] for one in _CONTROLLER)),
                (say("Sender"), f"{sender['name']}, {sender['from_address']}"),
                (say("Imprint"), str(said["imprint_url"])),
                (say("Hash of the wording"), text.hash),
                (say("Published"), self._moment(text.published_at)),
                (say("Hash of the privacy notice"), str(said["notice"])),
            ]
        )

    def _story(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What happened, in order"))
        yield Facts([(self._moment(one.at), self._step(one)) for one in self._found.steps])
        for one in self._found.corrections:
            line = say("The person corrected what is kept of them (Art. 16 GDPR): %(moment)s.")
            yield Words(line % {"moment": self._moment(one.at)})

    def _step(self, step: Step) -> str:
        say = self._words.gettext
        if step.place is None:
            where = say("waits for its place in the log")
        else:
            index, log = succession.index_of(step.place), succession.generation_of(step.place)
            origin = succession.name_of(self._config.audit.origin, log)
            where = say("entry %(index)s of the log %(log)s") % {"index": index, "log": origin}
        event = named("evt", step.entry.eid)
        return f"{self._said(step)}\n{event}, {where}"

    def _passed_on(self, actor: Actor) -> str:
        """Whose word it is that the person said so: the way is what whoever passes it on calls it.

        Else a program with a key could have it read as if the person had come to us.
        """
        if actor not in (Actor.API, Actor.OPERATOR):
            return ""
        say = self._words.gettext
        return " " + say("It was passed on by %(who)s.") % {"who": say(event_words.ACTORS[actor])}

    def _said(self, step: Step) -> str:
        line = self._words.gettext(_STEPS.get(step.kind, event_words.KINDS[step.kind]))
        match step.said:
            case Requested(address_typed=address):
                return line % {"address": address}
            case TakenBack(channel=channel) | Objected(channel=channel):
                told = {"channel": terms.channel(channel, self._locale)}
                return f"{line % told}{self._passed_on(step.entry.actor)}"
            case MailSent() | Confirmed() | EndedByItself():
                return line
            case _:
                return line

    def _request(self) -> Iterator[Block]:
        asked, say = self._found.requested, self._words.gettext
        if asked is None:
            return
        yield Heading(say("How it was asked for"))
        facts = [
            (say("Form"), fact_words.form(asked.form, self._locale)),
            (say("Page"), asked.page_url or "–"),
            (say("Who showed the wording"), say(code_words.SHOWN_BY[asked.rendered_by])),
        ]
        if asked.caller is not None:
            facts.append((say("Passed on by"), f"{asked.caller.name} ({asked.caller.id})"))
        elif asked.client is not None:
            client = terms.in_words(terms.CLIENTS, asked.client, self._locale)
            facts.append((say("Passed on by"), client))
        typed = field_words.answers(in_a_line(asked.profile), self._config, self._locale)
        facts += [(say("Typed: %(field)s") % {"field": name}, answer) for name, answer in typed]
        digests = {
            say("Definition"): asked.form_digest,
            say("Digest of what was shown"): asked.shown,
        }
        facts += [(name, digest) for name, digest in digests.items() if digest is not None]
        yield Facts(facts)

    def _mails(self) -> Iterator[Block]:
        say = self._words.gettext
        if not self._found.mails:
            yield Heading(say("The mail that asked"))
            yield Words(say("The log tells of no mail that asked for it."))
        for mail in self._found.mails:
            yield Heading(say("The mail that asked"))
            yield from self._mail(mail)

    def _mail(self, mail: SentMail) -> Iterator[Block]:
        say, said = self._words.gettext, mail.said
        if mail.withheld:
            yield Words(
                say(
                    "The link in it can still confirm something, so nobody but its recipient sees"
                    " what it says."
                )
            )
        if mail.raw is not None:
            words = evidences.words(mail.raw)
            yield Words(
                say(
                    "Made again to the byte from what was kept of it; it has the hash that the log"
                    " names. It says:"
                )
            )
            heads = [f"{name}: {words[name.lower()]}" for name in ("From", "To", "Date", "Subject")]
            text = (words["text"] or "").rstrip("\n")
            yield Quote("\n".join([*heads, "", text]), self._found.consent.locale)
        facts = [(say("Handed over"), self._moment(mail.sent_at))]
        facts += [] if said.mail is None else [(say("Hash of the mail"), said.mail)]
        facts += [] if said.message_id_header is None else [("Message-ID", said.message_id_header)]
        yield Facts([*facts, *self._handed(said), *self._link(mail)])

    def _handed(self, said: MailSent) -> Iterator[tuple[str, str]]:
        say, reply = self._words.gettext, said.reply
        if said.session is not None:
            yield say("To the mail server"), f"{said.session.host}:{said.session.port}"
            yield say("Encrypted"), self._encrypted(said.session)
        if reply is not None:
            answer = " ".join(filter(None, (str(reply.code), reply.enhanced)))
            text = reply.text.removeprefix(reply.enhanced or "").strip()
            yield say("It answered"), f"{answer} {text}".strip()
            queued = outcome.queue_id(reply.text)
            if queued is not None:
                yield say("Its name for the mail"), queued

    def _encrypted(self, session: Session) -> str:
        if session.tls is None:
            return self._words.gettext("no, plain text")
        shown = [session.tls, session.cipher, session.certificate]
        digest = [] if session.fingerprint is None else [f"sha256:{session.fingerprint}"]
        return ", ".join([*filter(None, shown), *digest])

    def _link(self, mail: SentMail) -> Iterator[tuple[str, str]]:
        say = self._words.gettext
        if mail.said.token is None:
            return
        yield say("Hash of its link"), mail.said.token
        if mail.was_pressed and mail.has_link:
            yield say("Confirmed by it"), say("yes: this link was in this mail, and confirmed")
        elif mail.was_pressed:
            yield say("Confirmed by it"), say("yes: by the link that the log names for this mail")
        else:
            yield say("Confirmed by it"), say("no")

    def _uses(self) -> Iterator[Block]:
        """How many, and of when; the JSON file names each."""
        say, found = self._words.gettext, self._found.uses
        if found is None:
            return
        yield Heading(say("What it allowed"))
        if not found.sent:
            yield Words(say("The log tells of no mail that rested on it."))
            return
        count = len({one.permit.facts["message"] for one in found.sent})
        line = (
            self._words.ngettext(
                "The log tells of %(num)s mail that rested on it.",
                "The log tells of %(num)s mails that rested on it.",
                count,
            )
            if found.are_all
            else say("Of the mails that rested on it the newest %(num)s were read.")
        )
        yield Words(line % {"num": count})
        first, last = found.sent[0].permit.at, found.sent[-1].permit.at
        facts = [(say("First permitted"), first), (say("Last permitted"), last)]
        yield Facts([(name, self._moment(at)) for name, at in facts])
        yield Words(say("The JSON file names each of them, with what became of it."))

    def _unknown(self) -> Iterator[Block]:
        if self._found.unknown:
            say = self._words.gettext
            yield Heading(say("What is not known"))
            yield Listing([say(UNKNOWN[one]) for one in self._found.unknown])

    def _checking(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("How this can be checked"))
        yield Words(
            say(
                "This paper is a reading of the audit log and proves nothing by itself. The bundle"
                " of the same consent has the entries of the log with their proofs, the wording,"
                " and the mail, and a program that checks them without a network and without"
                " anything of ours. Whoever distrusts us takes the key of the log from where we"
                " publish it, and a checkpoint that somebody else kept."
            )
        )
        colon = say(":")
        shown = [
            f"{say(code_words.SPECIMENS[one.what])}{colon} {one.name}"
            for one in self._found.specimens.values()
        ]
        if shown:
            yield Words(
                say("What was shown or sent, without what was the person's, in the bundle:")
            )
            yield Listing(shown)

    def _notice(self) -> Iterator[Block]:
        notice, say = self._found.notice, self._words.gettext
        if notice is not None:
            yield Heading(say("The privacy notice that was shown with it"))
            yield Words(
                say(
                    "As it reads; the hash named above is of its source, which the bundle has to"
                    " the byte."
                )
            )
            yield Quote(markdown.to_text(notice.body.decode()), notice.locale)
