"""Who did something for a person: named in the event of what was done, not only by a look before.

By a random id alone: entries stay for ever. Who it is stands elsewhere, and goes by its own rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit.kinds import Actor

# The ways by which people come themselves, as events name them, and our own: whoever passes on
# what came otherwise must not have it pass for one of them.
OWN_WAYS: Final = frozenset(
    {
        *("my-data", "preferences-link", "one-click", "unsubscribe-page", "re-permission"),
        *("confirmation-link", "confirmation-page", "stop-again-link"),
        *("address-link", "address-taken-back", "erasure", "restore", "exercise"),
    }
)


@dataclass(frozen=True, slots=True)
class By:
    """Who passes on what was asked for, or decides it: a program's key, an operator's id."""

    name: str
    actor: Actor = Actor.API

    @property
    def refs(self) -> Mapping[str, str]:
        """For the entry of the event."""
        return {"operator" if self.actor is Actor.OPERATOR else "api_key": self.name}


def refs_of(by: By | None) -> Mapping[str, str]:
    """None where the person said it themselves, or a command did."""
    return {} if by is None else by.refs
