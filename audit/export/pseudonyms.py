"""Names of people that are good for one export, and lead nowhere. Pure."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from typing import Final

_BYTES: Final = 10  # enough that no two people of an export share a name


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Names people by a key that is of one export: in another they have other names."""

    key: bytes = field(repr=False)

    def of(self, subject: str) -> str:
        """The same for the same person; nobody without the key can try whose it is."""
        mac = hmac.digest(self.key, subject.encode(), "sha256")[:_BYTES]
        return f"person_{base64.b32hexencode(mac).decode().lower()}"
