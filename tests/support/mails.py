"""Mails to compose and sign, and the keys for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from delivery.dkim import Algorithm, Signer, SigningKey, dns_record, new_key
from delivery.mime import Content, Header
from delivery.outcome import Kind

AT = datetime(2026, 3, 3, 14, 5, 9, tzinfo=UTC)
MARKETING = Header(
    kind=Kind.MARKETING,
    sender_name="Acme",
    sender_address="news@acme.example",
    to="ada@example.org",
    message_id="0d4k8j2m@acme.example",
    date=AT,
    list_unsubscribe="https://mail.acme.example/unsubscribe/kX3vQm1d0mJkq7n0t5uZsw",
    list_id="newsletter.acme.example",
)
SERVICE = replace(MARKETING, kind=Kind.SERVICE, list_unsubscribe=None, list_id=None)
HELLO = Content("Hello", "A line.\n", "<p>A line.</p>\n")


def header(**more: Any) -> Header:
    return replace(MARKETING, **more)


@cache
def key(algorithm: Algorithm = "rsa-sha256") -> SigningKey:
    """One key for all tests: making one takes longer than most of them."""
    return SigningKey.load(new_key(algorithm))


@cache
def signer(algorithm: Algorithm = "rsa-sha256", domain: str = "acme.example") -> Signer:
    return Signer(domain, "s2026a", key(algorithm))


def records(of: Signer) -> dict[str, str]:
    """The DNS as a verifier sees it."""
    return dict([dns_record(of.selector, of.domain, of.key)])
