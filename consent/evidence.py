"""What proves a consent: the facts that the log seals with each event about a person.

Each kind of event has one type, which writes its facts and reads them again. A
name that was written once stays readable for ever, for the proof outlives the
release that wrote it (`tests/vectors/evidence.json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from audit.kinds import Kind
from consent import held_evidence, rights, stop_proofs, subject_evidence
from consent.mail_evidence import MadeOf, Session
from consent.model import State
from consent.sign_ups import Asked, Caller, RenderedBy, SignUp
from consent.stored import Stored

Facts = dict[str, Any]
BASIS: Final = "consent (Art. 6(1)(a) GDPR)"
BY_BUTTON: Final = "button on the page behind the link, by POST"


class Why(StrEnum):
    """Why a consent ended without anybody's word."""

    TIME = "its time was over"
    UNUSED = "it was not used"
    SUPERSEDED = "another was confirmed"
    RETIRED = "its wording was retired"
    MOVED = "its person has another address"


# None of these has a repr: in a traceback it would write an address into the log.
@dataclass(frozen=True, slots=True, repr=False)
class Requested:
    """Somebody asked: who, to what wording, where, when, and who showed it."""

    consent: str
    purpose: str
    text: str
    address_typed: str
    address: str
    received_at: datetime
    form: str
    form_digest: str | None
    page_url: str | None
    rendered_by: RenderedBy
    client: str | None
    locale: str
    profile: Mapping[str, str]
    basis: str = BASIS
    in_place_of: str | None = None  # the consent that covers no mail any more: asked anew
    shown: str | None = None  # the specimen of what showed the wording, by its hash
    caller: Caller | None = None  # the back end that passed it on

    @classmethod
    def by(cls, consent: str, form: SignUp, asked: Asked, received_at: datetime) -> Self:
        """What a form proves of one of the purposes that it asked for."""
        return cls(
            consent=consent,
            purpose=asked.purpose,
            text=asked.text_hash,
            address_typed=form.email.typed,
            address=form.email.canonical,
            received_at=received_at,
            form=form.form,
            form_digest=form.form_digest,
            page_url=form.page_url,
            rendered_by=form.rendered_by,
            client=form.client,
            locale=form.locale,
            profile=form.profile,
            shown=form.shown,
            caller=form.caller,
        )

    @property
    def consents(self) -> tuple[str, ...]:
        return (self.consent,)

    def facts(self) -> Facts:
        said: Facts = {
            "consent": self.consent,
            "purpose": self.purpose,
            "text": self.text,
            "address_typed": self.address_typed,
            "address": self.address,
            "received_at": self.received_at.isoformat(),
            "form": self.form,
            "form_digest": self.form_digest,
            "page_url": self.page_url,
            "rendered_by": self.rendered_by,
            "client": self.client,
            "locale": self.locale,
            "profile": dict(self.profile),
            "basis": self.basis,
        }
        if self.caller is not None:
            said["caller"] = self.caller.facts()
        more = {"in_place_of": self.in_place_of, "shown": self.shown}
        return said | {name: one for name, one in more.items() if one is not None}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(
            consent=stored.text("consent"),
            purpose=stored.text("purpose"),
            text=stored.text("text"),
            address_typed=stored.text("address_typed"),
            address=stored.text("address"),
            received_at=stored.moment("received_at"),
            form=stored.text("form"),
            form_digest=stored.text_or_none("form_digest"),
            page_url=stored.text_or_none("page_url"),
            rendered_by=stored.word("rendered_by", RenderedBy),
            client=stored.text_or_none("client"),
            locale=stored.text("locale"),
            profile=stored.answers("profile"),
            basis=stored.text("basis"),
            in_place_of=stored.text_or_none("in_place_of"),
            shown=stored.text_or_none("shown"),
            caller=Caller.told_in(stored),
        )


@dataclass(frozen=True, slots=True, repr=False)
class ServerReply:
    """What the receiving server said to the mail that asked."""

    code: int
    enhanced: str | None
    text: str

    def facts(self) -> Facts:
        return {"code": self.code, "enhanced": self.enhanced, "text": self.text}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.number("code"), stored.text_or_none("enhanced"), stored.text("text"))


@dataclass(frozen=True, slots=True, repr=False)
class MailSent:
    """The mail that asks went out: which, to what answer, for which consents."""

    message: str
    message_id_header: str | None
    # A journal knows neither, nor the digest of its bytes, nor a reply's text.
    sender_address: str | None
    mail: str | None
    relay: str | None
    reply: ServerReply | None
    consents: tuple[str, ...]
    # Earlier releases: unknown. A journal knows the first.
    token: str | None = None  # the hash of its link's token, in hex
    made_of: MadeOf | None = None
    session: Session | None = None

    def facts(self) -> Facts:
        said: Facts = {
            "message": self.message,
            "message_id_header": self.message_id_header,
            "from": self.sender_address,
            "mail": self.mail,
            "relay": self.relay,
            "reply": None if self.reply is None else self.reply.facts(),
            "consents": list(self.consents),
        }
        if self.token is not None:
            said["token"] = self.token
        more = {"made_of": self.made_of, "session": self.session}
        return said | {name: one.facts() for name, one in more.items() if one is not None}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        reply, made_of = stored.object_or_none("reply"), stored.object_or_none("made_of")
        session = stored.object_or_none("session")
        return cls(
            message=stored.text("message"),
            message_id_header=stored.text_or_none("message_id_header"),
            sender_address=stored.text_or_none("from"),
            mail=stored.text_or_none("mail"),
            relay=stored.text_or_none("relay"),
            reply=None if reply is None else ServerReply.read(reply),
            consents=stored.texts("consents"),
            token=stored.text_or_none("token"),
            made_of=None if made_of is None else MadeOf.read(made_of),
            session=None if session is None else Session.read(session),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Confirmed:
    """The mailbox agreed: by which token, when and how."""

    consent: str
    purpose: str
    text: str
    token: str  # the hash of the link's token, in hex
    confirmed_at: datetime
    action: str = BY_BUTTON
    # What the mailbox let stand of the answers, or put in their place; earlier releases: unknown.
    answers: Mapping[str, str] | None = None
    # The hash of the link by which mails let leave, in hex; earlier releases: unknown.
    handle: str | None = None
    handle_replaced: bool = False  # there had been one, and its row was gone
    # What the request said may be somebody else's, and counts for nothing: see `overview.Held`.
    contested: bool = False
    shown: str | None = None  # the specimen of the page behind the link, by its hash

    @property
    def consents(self) -> tuple[str, ...]:
        return (self.consent,)

    def facts(self) -> Facts:
        said: Facts = {
            "consent": self.consent,
            "purpose": self.purpose,
            "text": self.text,
            "token": self.token,
            "action": self.action,
            "confirmed_at": self.confirmed_at.isoformat(),
        }
        if self.answers is not None:
            said["answers"] = dict(self.answers)
        if self.handle is not None:
            said["handle"] = self.handle
        if self.handle_replaced:
            said["handle_replaced"] = True
        if self.contested:
            said |= {"contested": True, "rendered_by": RenderedBy.CONFIRMATION}
        if self.shown is not None:
            said["shown"] = self.shown
        return said

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(
            consent=stored.text("consent"),
            purpose=stored.text("purpose"),
            text=stored.text("text"),
            token=stored.text("token"),
            confirmed_at=stored.moment("confirmed_at"),
            action=stored.text("action"),
            answers=stored.answers("answers") if stored.has("answers") else None,
            handle=stored.text_or_none("handle"),
            handle_replaced=stored.flag("handle_replaced"),
            contested=stored.flag("contested"),
            shown=stored.text_or_none("shown"),
        )


@dataclass(frozen=True, slots=True, repr=False)
class PassedOn:
    """What a caller tells of a word that came to them: when, and where they keep it."""

    received_at: datetime | None
    reference: str | None

    def facts(self) -> Facts:
        received_at = None if self.received_at is None else self.received_at.isoformat()
        return {"received_at": received_at, "reference": self.reference}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.moment_or_none("received_at"), stored.text_or_none("reference"))

    @classmethod
    def told_in(cls, stored: Stored) -> Self | None:
        """None where the person said it to us: nothing was passed on."""
        told = stored.has("received_at") or stored.has("reference")
        return cls.read(stored) if told else None


@dataclass(frozen=True, slots=True, repr=False)
class TakenBack:
    """The person withdrew, or rejected what was asked in their name."""

    consent: str | None  # none: of nothing that there was; what comes back since has ended
    purpose: str | None  # none: that is not known, or all of them
    channel: str
    passed_on: PassedOn | None = None

    @property
    def consents(self) -> tuple[str, ...]:
        return () if self.consent is None else (self.consent,)

    def facts(self) -> Facts:
        said = {"consent": self.consent, "purpose": self.purpose, "channel": self.channel}
        told = {} if self.passed_on is None else self.passed_on.facts()
        return {name: value for name, value in said.items() if value is not None} | told

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(
            consent=stored.text_or_none("consent"),
            purpose=stored.text_or_none("purpose"),
            channel=stored.text("channel"),
            passed_on=PassedOn.told_in(stored),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Objected:
    """The person objected (Art. 21 GDPR), whatever consents there were."""

    channel: str
    consents: tuple[str, ...]
    passed_on: PassedOn | None = None

    def facts(self) -> Facts:
        told = {} if self.passed_on is None else self.passed_on.facts()
        return {"channel": self.channel, "consents": list(self.consents), **told}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("channel"), stored.texts("consents"), PassedOn.told_in(stored))


@dataclass(frozen=True, slots=True, repr=False)
class EndedByItself:
    """A request lapsed or a consent expired; nobody said anything."""

    consent: str
    purpose: str
    why: Why

    @property
    def consents(self) -> tuple[str, ...]:
        return (self.consent,)

    def facts(self) -> Facts:
        return {"consent": self.consent, "purpose": self.purpose, "why": self.why}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("consent"), stored.text("purpose"), stored.word("why", Why))


Proof = (
    Requested
    | MailSent
    | Confirmed
    | TakenBack
    | Objected
    | EndedByItself
    | subject_evidence.Told
    | rights.Told
    | held_evidence.Told
    | stop_proofs.Told
)


def contested(said: Iterable[Proof], state: State) -> bool:
    """Whether somebody else may have made a request, of which these are told: it is left out.

    Of a confirmation that is away, or does not open, nobody can tell.
    """
    confirmed = [one for one in said if isinstance(one, Confirmed)]
    return any(one.contested for one in confirmed) or (state.decided and not confirmed)


_TYPES: Mapping[Kind, type[Proof]] = {
    Kind.CONSENT_REQUESTED: Requested,
    Kind.CONSENT_MAIL_SENT: MailSent,
    Kind.CONSENT_CONFIRMED: Confirmed,
    Kind.CONSENT_REJECTED: TakenBack,
    Kind.CONSENT_WITHDRAWN: TakenBack,
    Kind.CONSENT_LAPSED: EndedByItself,
    Kind.CONSENT_EXPIRED: EndedByItself,
    Kind.CONSENT_OBJECTED: Objected,
    **subject_evidence.TOLD,
    **rights.TOLD,
    **held_evidence.TOLD,
    **stop_proofs.TOLD,
}


def read(kind: Kind, facts: Mapping[str, Any]) -> Proof | None:
    """What an event of *kind* says of a person; None for kinds whose facts have no type here.

    What other releases added is passed over. Raises `StoredError` for facts
    that none of them wrote.
    """
    found = _TYPES.get(kind)
    return None if found is None else found.read(Stored(dict(facts)))
