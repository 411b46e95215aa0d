"""What proves one consent, as values; made of what the log tells and what was kept. Pure.

Nothing is shown as true that does not fit: it is named as a fault. What nobody recorded is
named too, so that a reader need not ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from audit.entry import Entry
from audit.kinds import Kind
from audit.trail import Told
from consent import evidence, policy, tokens
from consent.consents import Consent
from consent.errors import StoredError
from consent.evidence import Confirmed, MailSent, Proof, Requested
from consent.history import left_at_large
from consent.mail_evidence import MadeOf
from consent.model import State
from consent.sign_ups import RenderedBy
from consent.specimens import Specimen
from consent.texts import PublishedNotice, Text
from delivery import remaking
from delivery.errors import SpecimenError
from gateway.flows.proving.unanswered import Unanswered
from gateway.flows.proving.uses import Uses

CONFIRM = "confirm"  # the value of a mail that is the token of its link


class Unknown(StrEnum):
    """What nobody can say of a consent, from what was recorded."""

    WHO_ASKED = "who_asked"  # who filled in the form
    WHO_PRESSED = "who_pressed"  # who of those who read the mailbox
    NETWORK_ASKED = "network_asked"  # from where, by which device
    NETWORK_PRESSED = "network_pressed"
    WORDING_SHOWN = "wording_shown"  # the caller alone says that it was
    FORM_SHOWN = "form_shown"  # no specimen of what showed the wording
    PAGE_SHOWN = "page_shown"  # none of the page behind the link
    MAIL_BYTES = "mail_bytes"  # the mail cannot be made again
    MAIL_LINK = "mail_link"  # which link was in which mail
    SERVER_REPLY = "server_reply"
    SERVER_SESSION = "server_session"
    MAILBOX = "mailbox"  # what became of the mail behind the server that took it
    REQUEST = "request"  # who confirmed may not have asked: what was asked says nothing of them


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not what it is to be: a row by its table and name, or the log itself."""

    what: str  # consent_text | privacy_notice | specimen | consent | log | mail | link
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event about the consent; *place* is where it stands in the log, none while it waits."""

    entry: Entry
    said: Proof = field(repr=False)
    place: int | None = None

    @property
    def kind(self) -> Kind:
        return self.entry.kind

    @property
    def at(self) -> datetime:
        return self.entry.at


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that asked. *raw* is that mail to the byte, where it could be made and fits its hash.

    While its link can still confirm something it is withheld, or whoever looks could.
    """

    said: MailSent = field(repr=False)
    sent_at: datetime
    eid: bytes
    raw: bytes | None = field(default=None, repr=False)
    has_link: bool | None = None  # whether its link is the one that the log names; None: unknown
    was_pressed: bool = False  # whether that link confirmed
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """What was read of one consent and its person, in one moment."""

    consent: Consent
    told: Sequence[Told] = field(repr=False)  # all of the person's events, in their order
    places: Mapping[bytes, int]
    whole: bool
    fits: bool
    text: Text | None
    notice: PublishedNotice | None
    specimens: Mapping[str, Specimen]
    broken: Collection[str]  # names of such as are there, and are not what their name says
    at: datetime
    locked_until: datetime | None = None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class ConsentEvidence:
    """The whole proof of one consent."""

    consent: Consent
    state: State
    at: datetime
    erased: bool  # it is what stays locked of who was erased, until the date
    locked_until: datetime | None
    contested: bool
    text: Text | None
    notice: PublishedNotice | None
    steps: Sequence[Step]
    corrections: Sequence[Step]  # since when another address was theirs
    mails: Sequence[SentMail]
    specimens: Mapping[str, Specimen]  # by name, those that the steps name and that are whole
    unknown: Sequence[Unknown]
    faults: Sequence[Fault]
    uses: Uses | None = field(default=None, repr=False)  # where they were read

    def said(self, kind: type[Requested] | type[Confirmed]) -> Requested | Confirmed | None:
        """What the last event of that type says."""
        return next((s.said for s in reversed(self.steps) if isinstance(s.said, kind)), None)

    @property
    def requested(self) -> Requested | None:
        found = self.said(Requested)
        return found if isinstance(found, Requested) else None

    @property
    def confirmed(self) -> Confirmed | None:
        found = self.said(Confirmed)
        return found if isinstance(found, Confirmed) else None


def kept_of(told: Iterable[Told]) -> set[str]:
    """The specimens of what was shown or sent that must be there, as events name them."""
    return {name for one in told if (said := said_by(one)) is not None for name in _named(said)}


def named_by(told: Iterable[Told]) -> set[str]:
    """The same, with those of which an earlier release kept the hash alone."""
    said = [one for one in map(said_by, told) if one is not None]
    return {name for one in said for name in (*_named(one), *_of_definition(one))}


def assembled(found: Material) -> ConsentEvidence:
    """Put together what proves the consent, without what somebody else may have said."""
    about = list(_about(found))
    contested = evidence.contested([one.said for one in about], found.consent.state)
    steps = [one for one in about if not (contested and isinstance(one.said, Requested))]
    named = {name for one in steps for name in _named(one.said)}
    beside = {name for one in steps for name in _of_definition(one.said)}
    shown = {name: one for name, one in found.specimens.items() if name in named | beside}
    mails = list(_mails(found, steps, shown))
    missing = (named - shown.keys()) | beside.intersection(found.broken)
    faults = [*_faults(found, missing), *_faults_of_mails(mails, shown)]
    return ConsentEvidence(
        consent=found.consent,
        state=policy.effective_state(found.consent, found.at),
        at=found.at,
        erased=found.erased,
        locked_until=found.locked_until,
        contested=contested,
        text=found.text,
        notice=found.notice,
        steps=steps,
        corrections=list(_corrections(found)),
        mails=mails,
        specimens=shown,
        unknown=list(dict.fromkeys(_unknown(steps, mails, contested=contested))),
        faults=faults,
    )


def said_by(one: Told) -> Proof | None:
    """What an event says; None where this release cannot read it."""
    try:
        return evidence.read(one.kind, one.facts)
    except StoredError:
        return None


def _about(found: Material) -> Iterator[Step]:
    """The events of this consent; once it was asked for, also who left all there was."""
    begun = False
    for one in found.told:
        said = said_by(one)
        if said is None:
            continue
        large = left_at_large(one)
        ends_all = large is not None and large.purpose in (None, found.consent.purpose)
        if found.consent.id in said.consents or (begun and ends_all):
            begun = True
            yield Step(one.entry, said, found.places.get(one.eid))


def _corrections(found: Material) -> Iterator[Step]:
    for one in found.told:
        said = said_by(one)
        if one.kind is Kind.SUBJECT_RECTIFIED and said is not None:
            yield Step(one.entry, said, found.places.get(one.eid))


def _named(said: Proof) -> Iterator[str]:
    match said:
        case Requested(shown=str(shown)) | Confirmed(shown=str(shown)):
            yield shown
        case MailSent(made_of=MadeOf(specimen=name)):
            yield name
        case _:
            pass


def _of_definition(said: Proof) -> Iterator[str]:
    if isinstance(said, Requested) and said.form_digest is not None:
        yield said.form_digest


def _mails(
    found: Material, steps: Sequence[Step], shown: Mapping[str, Specimen]
) -> Iterator[SentMail]:
    pressed = {one.said.token for one in steps if isinstance(one.said, Confirmed)}
    unanswered = _unanswered(found)
    for step in steps:
        said = step.said
        if isinstance(said, MailSent):
            mail = SentMail(said, step.at, step.entry.eid, was_pressed=said.token in pressed)
            # Another purpose of the same request may wait still: its link is the same.
            if unanswered.may_confirm(said.consents):
                yield SentMail(said, step.at, step.entry.eid, withheld=True)
            else:
                yield _remade(mail, shown)


def _unanswered(found: Material) -> Unanswered:
    unanswered = Unanswered.told_by(found.told, whole=found.whole)
    state = policy.effective_state(found.consent, found.at)
    # A row that somebody wrote says nothing of that.
    is_over = found.fits and state is not State.PENDING
    return unanswered.settled(found.consent.id) if is_over else unanswered


def _remade(mail: SentMail, shown: Mapping[str, Specimen]) -> SentMail:
    made = mail.said.made_of
    raw = None if made is None else _made_again(made, shown)
    if raw is None or digest_of(raw) != mail.said.mail:
        return mail
    has_link = made is not None and _has_link(made, mail.said.token)
    return SentMail(mail.said, mail.sent_at, mail.eid, raw, has_link, mail.was_pressed)


def _made_again(made: MadeOf, shown: Mapping[str, Specimen]) -> bytes | None:
    letter = shown.get(made.specimen)
    try:
        return None if letter is None else remaking.remade(letter.body, made.values)
    except SpecimenError:
        return None


def digest_of(raw: bytes) -> str:
    """By what the log names a mail."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _has_link(made: MadeOf, named: str | None) -> bool:
    """Whether the link in the mail is the one that the log names; nobody guesses it here."""
    found = tokens.hash_of(made.values.get(CONFIRM, ""))
    return found is not None and found.hex() == named


def _faults(found: Material, missing: Iterable[str]) -> Iterator[Fault]:
    if found.text is None:
        yield Fault("consent_text", found.consent.text_hash)
    elif found.notice is None:
        yield Fault("privacy_notice", str(found.text.bundle.get("notice")))
    for name in sorted(missing):
        yield Fault("specimen", name)
    if not found.fits:
        yield Fault("consent", found.consent.id)
    if not found.whole:
        yield Fault("log", "")


def _faults_of_mails(mails: Sequence[SentMail], shown: Mapping[str, Specimen]) -> Iterator[Fault]:
    for mail in mails:
        made = mail.said.made_of
        # Without its specimen, that is the fault.
        if not mail.withheld and made is not None and made.specimen in shown:
            if mail.raw is None:
                yield Fault("mail", mail.said.message)
            elif not mail.has_link:
                yield Fault("link", mail.said.message)


def _unknown(
    steps: Sequence[Step], mails: Sequence[SentMail], *, contested: bool
) -> Iterator[Unknown]:
    for one in steps:
        match one.said:
            case Requested() as said:
                yield from _of_request(said)
            case Confirmed() as said:
                yield from (Unknown.WHO_PRESSED, Unknown.NETWORK_PRESSED)
                yield from () if said.shown else (Unknown.PAGE_SHOWN,)
            case _:
                pass
    if contested:
        yield Unknown.REQUEST
    for mail in mails:
        yield Unknown.MAILBOX
        yield from _of_mail(mail.said)


def _of_request(said: Requested) -> Iterator[Unknown]:
    yield from (Unknown.WHO_ASKED, Unknown.NETWORK_ASKED)
    if said.rendered_by is RenderedBy.ASSERTED:
        yield Unknown.WORDING_SHOWN
    if said.shown is None and said.rendered_by in (RenderedBy.PAGE, RenderedBy.SCRIPT):
        yield Unknown.FORM_SHOWN


def _of_mail(said: MailSent) -> Iterator[Unknown]:
    missing = {
        Unknown.MAIL_BYTES: said.made_of,
        Unknown.MAIL_LINK: said.token,
        Unknown.SERVER_REPLY: said.reply,
        Unknown.SERVER_SESSION: said.session,
    }
    yield from (name for name, found in missing.items() if found is None)
