"""What plain HTML forms post, and what their queries say: for the API document.

Handlers read these fields one by one; here they are named once, for whoever
writes a form of their own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import Invalid
from gateway.http.fields import CleanText, Locale, MailAddress, Name, PageUrl, Stamp, TextHash
from gateway.http.models import Incoming
from gateway.http.parsing import parse_value


class PlainForm(BaseModel):
    """The fields of a form; names that we do not know are wrong."""

    model_config = ConfigDict(extra="forbid")


class PlainSignUp(PlainForm):
    """A sign-up form without a script; `homepage` stays empty, and people do not see it."""

    model_config = ConfigDict(
        extra="forbid",
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

    `purpose` says which are confirmed, the others end `rejected`; none: all.
    `profile.<field>` corrects an answer: absent as shown, empty removed.
    """

    model_config = ConfigDict(
        json_schema_extra={"patternProperties": {"^profile\\.": {"type": "string"}}}
    )

    answer: Literal["confirm", "reject", "again"]
    purpose: list[Name] = []


class Corrections(Incoming):
    """What somebody ticked and corrected before they confirmed; no purposes: all."""

    purposes: frozenset[Name] | None = None
    profile: dict[str, CleanText] = Field(default={}, max_length=50)


class OneClick(BaseModel):
    """RFC 8058; any other body, and none, does the same."""

    list_unsubscribe: Annotated[str | None, Field(alias="List-Unsubscribe")] = None


class PreferencesAnswer(BaseModel):
    """`purpose.<name>`, each `on` or `off`; a link that is over looks at none of them."""


class MyDataQuestion(BaseModel):
    """Whose data; the answer is the same whether we know the address or not."""

    email: MailAddress


class PageQuery(BaseModel):
    """An unknown language falls back to the first one."""

    locale: str | None = None


def signup_of(fields: MultiMapping[str]) -> dict[str, Any]:
    """The JSON body that says the same as a plain form's *fields*.

    An empty field is one that nobody filled in.
    Other names stay as they are, for the model to refuse; raises `Invalid` for
    two answers to one question, of which a name of the JSON body is one.
    """
    body: dict[str, Any] = {"purposes": [], "texts": [], "profile": {}}
    repeated = {"purpose": "purposes", "text": "texts"}
    for name, value in fields.items():
        if name in repeated:
            body[repeated[name]].append(value)
        elif name.startswith("profile."):
            _answer(body["profile"], name.removeprefix("profile."), value)
        else:
            _answer(body, name, value)
    return body


def corrections_of(fields: MultiMapping[str]) -> Corrections:
    """What a posted confirmation page corrects; raises `Invalid` for two answers to one question.

    An empty field is said: it removes. So is an empty `purpose`, which a page with
    boxes sends along: without it nobody could tell "none of these" from "all".
    """
    body: dict[str, Any] = {}
    if "purpose" in fields:
        body["purposes"] = [name for name in fields.getall("purpose") if name]
    for name, value in fields.items():
        if name.startswith("profile."):
            said = body.setdefault("profile", {})
            if name.removeprefix("profile.") in said:
                raise Invalid.at("", "answers a question twice")
            said[name.removeprefix("profile.")] = value
    return parse_value(body, Corrections)


def _answer(answers: dict[str, Any], name: str, value: str) -> None:
    if name in answers:
        raise Invalid.at("", "answers a question twice")
    if value:
        answers[name] = value
