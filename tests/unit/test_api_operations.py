"""Whom somebody tells of a security fault of an installation (RFC 9116)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gateway.api.operations import security_txt
from gateway.config import config

NOW = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
DEFAULT = config.embedded_default()


def lines(raw: str) -> dict[str, str]:
    text = security_txt(config.parse(raw, base=Path("/srv")), NOW)
    assert text.endswith("\r\n")
    return dict(line.split(": ") for line in text.splitlines())


def test_it_names_the_controllers_contact_and_ends_within_the_year() -> None:
    assert lines(DEFAULT) == {
        "Contact": "mailto:privacy@acme.example",
        "Expires": "2027-02-25T00:00:00Z",
        "Preferred-Languages": "en, de",
        "Canonical": "http://localhost:8080/.well-known/security.txt",
    }


def test_a_mailbox_of_its_own_stands_there_as_an_address_of_the_web() -> None:
    raw = DEFAULT.replace('# security_contact = "security@', 'security_contact = "a+b%c?@')

    assert lines(raw)["Contact"] == "mailto:a%2Bb%25c%3F@acme.example"
