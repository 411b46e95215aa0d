"""What plain HTML forms post, and what their queries say: for the API document.

Handlers read these fields one by one; here they are named once, for whoever
writes a form of their own.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any, Final, Literal

from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import Invalid
from gateway.http.fields import Locale, MailAddress, Name, PageUrl, SaidAnswer, Stamp, TextHash
from gateway.http.models import Incoming
from gateway.http.parsing import parse_value

_IN_JSON: Final = "/profile"
_PROFILE: Final = "profile."  # before the name of a question that a form's configuration asks


class PlainSignUp(BaseModel):
    """A sign-up form without a script; `homepage` stays empty, and people do not see it.

    Names that we do not know are passed over: a form lives in somebody's page,
    which adds fields of its own.
    """

    model_config = ConfigDict(
        json_schema_extra={"patternProperties": {"^profile\\.": {"type": "string"}}},
    )

    email: MailAddress
    purpose: Annotated[list[Name], Field(min_length=1)]
    text: Annotated[list[TextHash], Field(min_length=1)]
    locale: Locale | None = None
    page_url: PageUrl | None = None
    homepage: Literal[""] = ""
    stamp: Stamp | None = None


class ConfirmationAnswer(BaseModel):
    """`confirm`; `reject`: "this was not me"; `again` asks an expired link's mailbox anew.

    `decline`: no, to what the operator asked anew, which ends what was agreed to before.

    `purpose` says which are confirmed, the others end `rejected`; none: as the page shows it,
    which ticks all, or none where the sign-up may be somebody else's.
    `profile.<field>` corrects an answer: absent as shown, empty removed.
    """

    model_config = ConfigDict(
        json_schema_extra={"patternProperties": {"^profile\\.": {"type": "string"}}}
    )

    answer: Literal["confirm", "decline", "reject", "again"]
    purpose: list[Name] = []


class Corrections(Incoming):
    """What somebody ticked and corrected before they confirmed; no purposes: all."""

    purposes: frozenset[Name] | None = None
    profile: dict[str, SaidAnswer] = Field(default={}, max_length=50)


class OneClick(BaseModel):
    """RFC 8058; any other body, and none, does the same.

    `scope=sender`: everything of the sender of that mail.
    """

    list_unsubscribe: Annotated[str | None, Field(alias="List-Unsubscribe")] = None
    scope: Literal["sender"] | None = None


class AgainAnswer(BaseModel):
    """`again`: anything else, such as one click, asks nobody."""

    answer: Literal["again"]


class ExportAnswer(BaseModel):
    """What a person takes along, and as which file; `csrf` as their overview has it."""

    format: Literal["json", "html", "pdf"] = "json"
    csrf: str


class PreferencesAnswer(BaseModel):
    """`purpose.<name>`, each `on` or `off`; a link that is over looks at none of them.

    In a session also `sender`: everything of that one is off.
    """


class MyDataQuestion(BaseModel):
    """Whose data; the answer is the same whether we know the address or not."""

    email: MailAddress


class RestrictionAnswer(BaseModel):
    """`restrict`, or `lift` what was restricted; `csrf` as the page has it."""

    answer: Literal["restrict", "lift"] = "restrict"
    csrf: str


class ObjectionAnswer(BaseModel):
    """`object`, or `lift` an objection: then `again` names each purpose that the page named."""

    answer: Literal["object", "lift"] = "object"
    again: list[Name] = []
    csrf: str


class PaceAnswer(BaseModel):
    """`pause` in months, or `none`; `apart`: `any`, `week`, `month`. What is not said stays."""

    pause: Literal["keep", "none", "1", "3", "6"] = "keep"
    apart: Literal["any", "week", "month"] | None = None
    csrf: str


class RectificationAnswer(BaseModel):
    """`profile`: `profile.<field>` (empty: removed) and `language`; or `address` and `email`."""

    model_config = ConfigDict(
        json_schema_extra={"patternProperties": {"^profile\\.": {"type": "string"}}}
    )

    answer: Literal["profile", "address"]
    language: Locale | None = None
    email: MailAddress | None = None
    csrf: str


class ErasureAnswer(BaseModel):
    """`erase` is the second step; without it the page says what that does."""

    answer: Literal["erase"] | None = None
    csrf: str


class PageQuery(BaseModel):
    """An unknown language falls back to the first one."""

    locale: str | None = None


class FormQuery(PageQuery):
    """`words` for a script that shows the form: what it says by itself, in that language."""

    words: Literal["1"] | None = None


def is_asked(name: str, profile: Container[str]) -> bool:
    """Whether a field of a plain form is of a sign-up that asks the questions of *profile*."""
    if name.startswith(_PROFILE):
        return name.removeprefix(_PROFILE) in profile
    return name in PlainSignUp.model_fields


def signup_of(
    fields: MultiMapping[str], profile: Container[str], several: Container[str] = ()
) -> dict[str, Any]:
    """The JSON body that says the same as a plain form's *fields*.

    An empty field is one that nobody filled in; of the answers those are read
    that *profile* names, and everything else is passed over. Raises `Invalid`
    for two answers to one question that is not of *several*; the same one twice is one.
    """
    body: dict[str, Any] = {"purposes": [], "texts": [], "profile": {}}
    repeated = {"purpose": body["purposes"], "text": body["texts"]}
    for name, value in fields.items():
        if not is_asked(name, profile):
            continue
        if name in repeated:
            repeated[name] += [value] if value not in repeated[name] else []
        elif name.startswith(_PROFILE):
            _answer(body["profile"], name.removeprefix(_PROFILE), value, several, _IN_JSON)
        else:
            _answer(body, name, value)
    return body


def corrections_of(fields: MultiMapping[str], several: Container[str] = ()) -> Corrections:
    """What a posted confirmation page corrects; raises `Invalid` for two answers to one question.

    An empty field is said: it removes. So is an empty `purpose`, which a page with
    boxes sends along: without it nobody could tell "none of these" from "all". The same
    empty one stands before the boxes of an answer, and counts where none is ticked.
    """
    body: dict[str, Any] = {}
    if "purpose" in fields:
        body["purposes"] = [name for name in fields.getall("purpose") if name]
    said: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(_PROFILE):
            question = name.removeprefix(_PROFILE)
            _answer(said, question, value, several, _IN_JSON)
            said.setdefault(question, "")
    return parse_value({**body, "profile": said}, Corrections)


def _answer(
    answers: dict[str, Any], name: str, value: str, several: Container[str] = (), at: str = ""
) -> None:
    before = answers.get(name)
    if name in several:
        chosen = before or []
        answers[name] = [*chosen, value] if value and value not in chosen else chosen
    elif before and value and before != value:
        raise Invalid.at(f"{at}/{name}", "is answered twice")
    elif value:
        answers[name] = value
