"""Bodies that work, for the API document and its page: each is checked against its model."""

from __future__ import annotations

from typing import Any, Final

FORM: Final = "newsletter"  # of the embedded configuration, whose demo answers these
_TEXT: Final = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_ADA: Final = {"email": "ada@example.org"}

SIGN_UP: Final[dict[str, Any]] = {
    **_ADA,
    "purposes": ["newsletter"],
    "texts": [_TEXT],
    "locale": "en",
    "page_url": "https://www.acme.example/",
    "profile": {"first_name": "Ada"},
}
BACKEND_SIGN_UP: Final[dict[str, Any]] = {
    "form": FORM,
    **SIGN_UP,
    "visitor_network": "192.0.2.0/24",
}
MESSAGE: Final[dict[str, Any]] = {
    "to": _ADA,
    "purpose": "newsletter",
    "content": {"template": "welcome", "data": {"first_name": "Ada"}},
    "reference": "welcome-1",
}
BATCH: Final[dict[str, Any]] = {
    "messages": [
        MESSAGE,
        {
            "to": {"email": "grace@example.org"},
            "purpose": "newsletter",
            "content": {"subject": "News", "text": "Hello.", "html": "<p>Hello.</p>"},
            "send_at": "2027-01-04T08:00:00Z",
        },
    ]
}
PERMISSION: Final[dict[str, Any]] = {"to": _ADA, "purpose": "newsletter"}
WITHDRAWAL: Final[dict[str, Any]] = {
    "to": _ADA,
    "purpose": "newsletter",
    "kind": "withdraw",
    "channel": "phone",
    "reference": "ticket-17",
}
