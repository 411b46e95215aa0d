"""What a caller's request is about, whether its key covers that, and on what ground it may."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import model_validator

from gateway.callers.api_keys import ApiKey
from gateway.config.config import Config
from gateway.errors import OutsideKey
from gateway.flows.sending.permission import Question
from gateway.http.fields import Identifier, MailAddress
from gateway.http.models import SAID, Answer, Incoming, exactly_one, one_of

ADA: Final[dict[str, Any]] = {"email": "ada@example.org"}  # whom the examples are about


class Target(Incoming):
    """To whom: an address, or a subject that the caller was told about."""

    model_config = one_of({"email": SAID}, {"subject_id": SAID})

    email: MailAddress | None = None
    subject_id: Identifier | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "email", "subject_id")
        return self


class GroundView(Answer):
    kind: str
    id: str


def question(target: Target, purpose: str) -> Question:
    return Question(purpose, target.email, target.subject_id)


def require_covered(config: Config, caller: ApiKey, purpose: str) -> None:
    """Raise OutsideKey where the key is bound to other purposes or senders."""
    known = config.purposes.get(purpose)
    if not caller.covers(purpose, known.sender if known else None):
        raise OutsideKey
