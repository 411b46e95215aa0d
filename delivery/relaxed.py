"""Mails as DKIM compares them: the relaxed forms of RFC 6376, sections 3.4.2 and 3.4.4; linear."""

from __future__ import annotations


def field(name: bytes, raw: bytes) -> bytes:
    """One header field; *name* is in lower case."""
    value = collapsed(raw[len(name) + 1 :].replace(b"\r\n", b""))
    return name + b":" + value.strip(b" ") + b"\r\n"


def body(raw: bytes) -> bytes:
    """A body whose lines end in CRLF."""
    return ended(lines(raw).rstrip(b" "))


def lines(raw: bytes) -> bytes:
    """Whole lines within a body, wherever they stand in it."""
    return collapsed(raw).replace(b" \r\n", b"\r\n")


def ended(raw: bytes) -> bytes:
    """All relaxed lines of a body, without those at its end that are empty."""
    raw = raw.rstrip(b"\r\n")
    return raw + b"\r\n" if raw else b""


def collapsed(value: bytes) -> bytes:
    """Every run of blanks as one space. Halving beats a regex, which is quadratic on long runs."""
    value = value.replace(b"\t", b" ")
    while len(halved := value.replace(b"  ", b" ")) < len(value):
        value = halved
    return value
