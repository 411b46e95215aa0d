"""What a relay is, and how it wants to be spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from delivery.transmission import Timeouts
from storage.secret import Secret

Mechanism = Literal["plain", "login", "cram-md5"]


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail goes. Certificates are verified; there is no falling back to plain text.

    *auth* is the one way to sign in; None: those that the relay offers, one after another.
    """

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "implicit"] = "none"
    ca_file: Path | None = None  # whom its certificate is from; None: whom the system trusts
    username: str | None = None
    password: Secret | None = None
    auth: Mechanism | None = None
    local_hostname: str = "[127.0.0.1]"  # who we say we are (RFC 5321, section 4.1.1.1)
    connections: int = 20
    messages_per_connection: int = 100
    idle: float = 60
    timeouts: Timeouts = field(default_factory=Timeouts)
