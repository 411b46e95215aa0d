"""What the forms of the desk post: for the API document, and for whoever reads them."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from multidict import MultiDictProxy
from pydantic import BaseModel, TypeAdapter, ValidationError

from consent.rights import Right, Step
from gateway.errors import Invalid
from gateway.http.fields import CaseNumber, Decision, Identifier, Label, MailAddress, Name

CHANNELS: Final = ("phone", "letter", "email")
_LABEL: Final = TypeAdapter[str](Label)
_CASE: Final = TypeAdapter[str](CaseNumber)
_DECISION: Final = TypeAdapter[str](Decision)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998  # behind whose days there are others, in every zone
_SUBJECT: Final = TypeAdapter[str](Identifier)


class Signed(BaseModel):
    """`csrf` as the page has it."""

    csrf: str


class Search(Signed):
    """Whom one looks for, and why: it stands in that person's audit trail."""

    email: MailAddress
    why: Label


class About(Signed):
    """A person who was looked up, and why they are looked at again."""

    subject: Identifier
    why: Label


class ProofQuestion(About):
    """What proves this consent, as which file."""

    consent: Identifier
    format: Literal["pdf", "bundle"] = "pdf"


class DossierQuestion(About):
    """Everything that is held, as which file."""

    format: Literal["json", "pdf"] = "pdf"


class NewCase(Signed):
    """What a person asks for by right, when that came, on which day and which way."""

    email: MailAddress
    kind: Right
    received_on: date | None = None
    channel: Literal["phone", "letter", "email"]


class CaseStep(Signed):
    """What is to be decided of a case; it is done with `sure` and the reason alone."""

    request: Identifier
    step: Step
    reason: Decision | None = None
    sure: Literal["yes"] | None = None


class CaseAnswer(Signed):
    """Everything that is held, as which file; why one looks, and what the person is told."""

    request: Identifier
    why: Label
    reason: Decision
    format: Literal["json", "pdf"] = "pdf"


class DayWanted(Signed):
    """Which day of the log, from which minute on, and of which kind."""

    day: date | None = None
    at: str = ""
    kind: str = ""


class SentWanted(Signed):
    """Which day's messages, of which purpose and in which state."""

    day: date | None = None
    purpose: str = ""
    status: str = ""


class MailQuestion(Signed):
    """A mail as the file `mail`, why one looks, and as what the answer is wanted."""

    why: Label
    format: Literal["page", "pdf", "zip"] = "page"


class LogExport(Signed):
    """From which day up to and with which one, as which file; for whom."""

    since: date | None = None
    until: date | None = None
    scope: Literal["period", "authority"] = "period"
    case: CaseNumber | None = None
    format: Literal["bundle", "jsonl", "csv", "xlsx", "pdf"] = "bundle"


class ExportAct(Signed):
    """Which export, and what becomes of it: it is had once, ended, or made again."""

    export: Identifier
    do: Literal["fetch", "cancel", "again"] = "fetch"


class BreachQuestion(Signed):
    """What was taken, of which day where it was a copy, in which time, and since when one knows."""

    case: CaseNumber
    took: list[Literal["data", "keystore", "keyring", "guard", "logs", "exports"]]
    data_on: date | None = None
    keystore_on: date | None = None
    keyring_on: date | None = None
    since: date | None = None
    until: date | None = None
    known_on: date | None = None
    known_at: str = ""
    happened: str = ""
    done: str = ""
    format: Literal["page", "pdf", "json"] = "page"


class PersonLog(About):
    """What the log holds of somebody, as which file."""

    format: Literal["bundle", "jsonl", "csv", "xlsx", "pdf"] = "bundle"


class Act(About):
    """What is to be done for them, and how they asked; it is done with `sure` alone."""

    act: Literal["withdraw", "object", "restrict", "unrestrict", "hold", "lift_hold", "erase"]
    channel: Literal["phone", "letter", "email"] | None = None
    purpose: Name | None = None
    hold: Identifier | None = None
    dispute: Label | None = None
    until: date | None = None
    sure: Literal["yes"] | None = None


def why_of(fields: MultiDictProxy[str]) -> str | None:
    """The reason that was given; None for none, or one that is too long."""
    return label_of(fields, "why")


def label_of(fields: MultiDictProxy[str], name: str) -> str | None:
    """One line of at most 200 characters; None for nothing, or for more."""
    return line(fields.get(name, ""))


def line(said: str) -> str | None:
    """As `label_of`, of what was said."""
    try:
        return _LABEL.validate_python(said)
    except ValidationError:
        return None


def reason_of(fields: MultiDictProxy[str]) -> str | None:
    """Why it is so decided; None for nothing, or for too much."""
    try:
        return _DECISION.validate_python(fields.get("reason", "").replace("\r\n", "\n"))
    except ValidationError:
        return None


def case_of(fields: MultiDictProxy[str]) -> str | None:
    """The number of an authority's case; None for none. Raises `Invalid`."""
    said = fields.get("case", "")
    if not said:
        return None
    try:
        return _CASE.validate_python(said)
    except ValidationError:
        raise Invalid.at("/case", "must be a file number: it must name nobody") from None


def day_of(fields: MultiDictProxy[str], name: str) -> date | None:
    """The day that was chosen; None for none. Raises `Invalid` for what is no day."""
    said = fields.get(name, "")
    if not said:
        return None
    try:
        day = date.fromisoformat(said)
    except ValueError:
        day = date.min
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Invalid.at(f"/{name}", "must be a day such as 2026-05-31")
    return day


def about(fields: MultiDictProxy[str]) -> tuple[str, str]:
    """Of whom, and why; raises `Invalid`: our pages always say both."""
    why = required_why(fields)
    return subject_of(fields, "subject"), why


def required_why(fields: MultiDictProxy[str]) -> str:
    why = why_of(fields)
    if why is None:
        raise Invalid.at("/why", "say why you look, in one line of at most 200 characters")
    return why


def subject_of(fields: MultiDictProxy[str], name: str) -> str:
    try:
        return _SUBJECT.validate_python(fields.get(name, ""))
    except ValidationError:
        raise Invalid.at(f"/{name}", "is not an id") from None


def one_of(fields: MultiDictProxy[str], name: str, *words: str) -> str:
    """One of *words*; the first where nothing was said."""
    said = fields.get(name, words[0])
    if said not in words:
        raise Invalid.at(f"/{name}", f"must be one of {', '.join(words)}")
    return said
