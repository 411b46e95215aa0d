"""What a caller's request is about, and whether its key covers that."""

from __future__ import annotations

from gateway.callers.api_keys import ApiKey
from gateway.config.config import Config
from gateway.flows.sending.permission import Question
from gateway.http.models import Target


def question(target: Target, purpose: str) -> Question:
    return Question(purpose, target.email, target.subject_id)


def require_covered(config: Config, caller: ApiKey, purpose: str) -> None:
    """Raise OutsideKey where the key is bound to other purposes or senders."""
    known = config.purposes.get(purpose)
    caller.require_purpose(purpose, known.sender if known else None)
