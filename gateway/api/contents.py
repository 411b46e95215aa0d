"""What callers want to say: a template with its data, or the parts themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator

from delivery.blemishes import Blemish, What
from delivery.templates import Templates
from gateway.config.config import Config
from gateway.errors import Invalid
from gateway.flows.sending.content_check import ContentFlaw, ContentProblem, Said, examine
from gateway.http.fields import Body, Line, Template, small
from gateway.http.models import NOT_SAID, SAID, Answer, Incoming, exactly_one

_TEMPLATE_OR_PARTS: Any = {
    "oneOf": [
        {
            "required": ["template"],
            "properties": {"template": SAID} | dict.fromkeys(("subject", "html", "text"), NOT_SAID),
        },
        {
            "required": ["subject"],
            "properties": {"subject": SAID, "template": NOT_SAID, "data": {"maxProperties": 0}},
            "anyOf": [
                {"required": [part], "properties": {part: SAID}} for part in ("html", "text")
            ],
        },
    ]
}
_OF_TEMPLATE: Final = "/content/template"
_OF_ITS_NAME: Final = {
    ContentFlaw.RESERVED: "is for the gateway's own mails",
    ContentFlaw.NOWHERE: (
        "does not exist: give welcome, which is the gateway's, or one of your own, which `gateway"
        " template list` names once [templates] directory is set, or subject with html or text"
    ),
}


class Content(Incoming):
    """What is said: a template with its data, or the parts themselves."""

    model_config = ConfigDict(json_schema_extra=_TEMPLATE_OR_PARTS)

    template: Template | None = None
    data: Annotated[dict[str, JsonValue], AfterValidator(small)] = Field(default={})
    subject: Line | None = None
    html: Body | None = None
    text: Body | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        exactly_one(self, "template", "subject")
        has_parts = self.html is not None or self.text is not None
        if self.template is not None and has_parts:
            raise ValueError("html and text do not go with a template")
        if self.subject is not None and (not has_parts or self.data):
            raise ValueError("subject goes with html or text or both, and without data")
        return self


class WarningView(Answer):
    """What recipients would suffer from; the mail is sent all the same."""

    code: What
    pointer: str
    detail: str


Warnings = Annotated[list[WarningView], Field(default=[], exclude_if=lambda some: not some)]


def said_by(config: Config, templates: Templates, purpose: str, given: Content) -> Said:
    """What a caller says, ready to be composed; Invalid where it cannot be."""
    said = given.model_dump(exclude_unset=True)
    content = {name: value for name, value in said.items() if value is not None}
    found = examine(config, templates, purpose, content)
    if isinstance(found, ContentProblem):
        raise _invalid(found)
    return found


def warnings_of(blemishes: Iterable[Blemish]) -> list[WarningView]:
    """As answers have them."""
    return [
        WarningView(code=one.what, pointer=f"/content/{one.part}", detail=one.detail)
        for one in blemishes
    ]


def _invalid(problem: ContentProblem) -> Invalid:
    match problem.flaw:
        case ContentFlaw.RESERVED | ContentFlaw.NOWHERE:
            return Invalid.at(_OF_TEMPLATE, _OF_ITS_NAME[problem.flaw])
        case ContentFlaw.TEMPLATE:
            return Invalid.at(_OF_TEMPLATE, problem.about)
        case ContentFlaw.VARIABLE:
            return Invalid.at(f"/content/data/{problem.about}", "is required")
        case ContentFlaw.PART:
            return Invalid.at("/content/data", problem.about)
        case ContentFlaw.UNREAD:
            meant = f": did you mean {problem.nearest}?" if problem.nearest else ""
            detail = f"is nothing that the template asks for{meant}"
            return Invalid.at(f"/content/data{problem.about}", detail)
        case ContentFlaw.VALUE:
            detail = "must be text or a number: the template prints it"
            return Invalid.at(f"/content/data{problem.about}", detail)
        case ContentFlaw.MARKUP:
            return Invalid.at("/content/html", problem.about)
