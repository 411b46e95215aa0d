"""What the forms of the desk post: for the API document, and for whoever reads them."""

from __future__ import annotations

from typing import Final, Literal

from multidict import MultiDictProxy
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.errors import Invalid
from gateway.http.fields import Identifier, Label, MailAddress, Name

_WHY: Final = TypeAdapter[str](Label)
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


class Act(About):
    """What is to be done for them, and how they asked; it is done with `sure` alone."""

    act: Literal["withdraw", "object", "restrict", "erase"]
    channel: Literal["phone", "letter", "email"] = "phone"
    purpose: Name | None = None
    sure: Literal["yes"] | None = None


def why_of(fields: MultiDictProxy[str]) -> str | None:
    """The reason that was given; None for none, or one that is too long."""
    try:
        return _WHY.validate_python(fields.get("why", ""))
    except ValidationError:
        return None


def about(fields: MultiDictProxy[str]) -> tuple[str, str]:
    """Of whom, and why; raises `Invalid`: our pages always say both."""
    why = why_of(fields)
    if why is None:
        raise Invalid.at("/why", "say why you look, in one line of at most 200 characters")
    return subject_of(fields, "subject"), why


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
