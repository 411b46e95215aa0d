"""Key material that does not show itself."""

from __future__ import annotations

import hmac


class Secret:
    """Bytes that never appear in a repr, a log line or a traceback's locals."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves; call it where they are used and nowhere else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a set of secrets would leak by timing

    def __repr__(self) -> str:
        return "Secret(…)"
