"""The bodies of the HTTP API: what callers send, and what they are answered.

Each field here is a promise to the outside (`/openapi.json` is made of them).
Addresses come in and never go out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from consent.model import Reason, RefusalClass
from delivery.outbox import Status
from gateway.http.fields import (
    Body,
    Identifier,
    Label,
    Line,
    Locale,
    MailAddress,
    Moment,
    Name,
    PageUrl,
    Stamp,
    Template,
    Text,
    TextHash,
    small,
)

Omissible = Annotated[str | None, Field(exclude_if=lambda value: value is None)]


class Incoming(BaseModel):
    """What a caller sends: kinds are exact, and a field we do not know is wrong."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answer(BaseModel):
    """What a caller is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _exactly_one(model: BaseModel, *names: str) -> None:
    if sum(getattr(model, name) is not None for name in names) != 1:
        raise ValueError(f"must have exactly one of {', '.join(names)}")


def _one_of(*kinds: dict[str, Any]) -> ConfigDict:
    """Say in the schema what a validator checks, each kind by its required fields."""
    told: Any = [{"required": [next(iter(one))], "properties": one} for one in kinds]
    return ConfigDict(json_schema_extra={"oneOf": told})


_SAID: Any = {"type": "string"}
_NOT_SAID: Any = {"type": "null"}
_TEMPLATE_OR_PARTS: Any = {
    "oneOf": [
        {
            "required": ["template"],
            "properties": {"template": _SAID}
            | dict.fromkeys(("subject", "html", "text"), _NOT_SAID),
        },
        {
            "required": ["subject"],
            "properties": {"subject": _SAID, "template": _NOT_SAID, "data": {"maxProperties": 0}},
            "anyOf": [{"required": [one], "properties": {one: _SAID}} for one in ("html", "text")],
        },
    ]
}


class Target(Incoming):
    """To whom: an address, or a subject that the caller was told about."""

    model_config = _one_of({"email": _SAID}, {"subject_id": _SAID})

    email: MailAddress | None = None
    subject_id: Identifier | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, "email", "subject_id")
        return self


class Content(Incoming):
    """What is said: a template with its data, or the parts themselves."""

    model_config = ConfigDict(json_schema_extra=_TEMPLATE_OR_PARTS)

    template: Template | None = None
    data: Annotated[dict[str, JsonValue], AfterValidator(small)] = {}
    subject: Line | None = None
    html: Body | None = None
    text: Body | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _exactly_one(self, "template", "subject")
        has_parts = self.html is not None or self.text is not None
        if self.template is not None and has_parts:
            raise ValueError("html and text do not go with a template")
        if self.subject is not None and (not has_parts or self.data):
            raise ValueError("subject goes with html or text or both, and without data")
        return self


class MessageRequest(Incoming):
    to: Target
    purpose: Name
    content: Content
    send_at: Moment | None = None
    expires_at: Moment | None = None
    reference: Label | None = None


class MessageAccepted(Answer):
    message_id: str
    status: Literal["queued"] = "queued"


class BatchRequest(Incoming):
    """Each message is checked alone, so that a wrong one does not stop the others."""

    messages: Annotated[list[dict[str, JsonValue]], Field(min_length=1, max_length=1000)]


class FieldProblem(Answer):
    pointer: str
    detail: str


class BatchQueued(MessageAccepted):
    pass


class BatchRefused(Answer):
    status: Literal["refused"] = "refused"
    reason: Reason
    refusal_class: RefusalClass = Field(alias="class")


class BatchInvalid(Answer):
    status: Literal["invalid"] = "invalid"
    errors: list[FieldProblem]


BatchResult = Annotated[BatchQueued | BatchRefused | BatchInvalid, Field(discriminator="status")]


class BatchAnswer(Answer):
    results: list[BatchResult]


class GroundView(Answer):
    kind: str
    id: str


class PermitView(Answer):
    ground: GroundView
    decided_at: datetime


class AttemptView(Answer):
    n: int
    started_at: datetime
    ended_at: datetime | None
    code: int | None
    outcome: str | None


class MessageView(Answer):
    message_id: str
    status: Status
    reason: Omissible = None
    permit: PermitView | None = None
    attempts: list[AttemptView] = []
    message_id_header: Omissible = None


class PermissionRequest(Incoming):
    to: Target
    purpose: Name


class PermissionGranted(Answer):
    granted: Literal[True] = True
    ground: GroundView


class PermissionRefusal(Answer):
    granted: Literal[False] = False
    reason: Reason
    refusal_class: RefusalClass = Field(alias="class")


class WithdrawalRequest(Incoming):
    model_config = _one_of({"purpose": _SAID}, {"all": {"const": True}})

    to: Target
    purpose: Name | None = None
    all: Literal[True] | None = None
    kind: Literal["withdraw", "object"]
    channel: Name
    received_at: Moment | None = None
    reference: Label | None = None

    @model_validator(mode="after")
    def _scope(self) -> Self:
        _exactly_one(self, "purpose", "all")
        return self


class WithdrawalAnswer(Answer):
    status: Literal["done"] = "done"


class SignUpRequest(Incoming):
    """One post of a form; `homepage` is the honeypot."""

    email: MailAddress
    purposes: Annotated[list[Name], Field(min_length=1, max_length=50)]
    texts: Annotated[list[TextHash], Field(min_length=1, max_length=50)]
    locale: Locale | None = None
    page_url: PageUrl | None = None
    profile: Annotated[dict[str, Text], Field(max_length=50)] = {}
    homepage: str = ""
    stamp: Stamp | None = None


class BackendSignUp(SignUpRequest):
    """A sign-up that a back end passes on; the limits count *visitor_network*."""

    form: Name
    visitor_network: Annotated[Line, StringConstraints(max_length=64)] | None = None


class SignUpAccepted(Answer):
    status: Literal["accepted"] = "accepted"


class Alive(Answer):
    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """What this process lacks: `data`, `keys`, `guard`, `worker`."""

    status: Literal["ready", "unready"]
    lacking: list[str]


class FormText(Answer):
    hash: str
    bundle: dict[str, Any]


class FormPurpose(Answer):
    purpose: str
    title: str
    required: bool
    text: FormText


class FormFieldView(Answer):
    name: str
    required: bool
    max_length: int
    label: str


class FormView(Answer):
    form: str
    locale: str
    locales: list[str]
    purposes: list[FormPurpose]
    fields: list[FormFieldView]


class AuditQuery(BaseModel):
    """The query string of the event list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}\.[a-z_]{1,32}$")] | None = None
    since: Moment | None = None
    until: Moment | None = None
    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AuditEvent(Answer):
    event_id: str
    index: int
    at: datetime
    kind: str
    actor: str


class AuditEvents(Answer):
    events: list[AuditEvent]
    next: str | None = None


class ProofView(Answer):
    """Where an event stands in the log, so that anybody can recompute the root (RFC 9162, 2.1.3.2).

    The leaf is SHA-256(0x00, the UTF-8 bytes of `entry`); `path` holds hashes in
    Base64, the leaf's neighbour first; `checkpoint` is the signed note of that root.
    """

    event_id: str
    index: int
    size: int
    entry: str
    path: list[str]
    checkpoint: str
