"""What a caller's request is about, and whether its key covers that."""

from __future__ import annotations

from gateway.api_keys import ApiKey
from gateway.api_models import Target
from gateway.config import Config
from gateway.flows.permission import Question


def question(target: Target, purpose: str) -> Question:
    return Question(purpose, target.email, target.subject_id)


def require_covered(config: Config, caller: ApiKey, purpose: str) -> None:
    """Raise OutsideKey where the key is bound to other purposes or senders."""
    known = config.purposes.get(purpose)
    caller.require_purpose(purpose, known.sender if known else None)
