"""Mails as DKIM compares them: the relaxed forms of RFC 6376, sections 3.4.2 and 3.4.4; linear."""

from __future__ import annotations

from collections.abc import Iterable


def field(name: bytes, raw: bytes) -> bytes:
    """One header field; *name* is in lower case."""
    return fields([(name, raw)])


def fields(named: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header fields, one after another."""
    whole = b"".join(
        [b"%b:%b\r\n" % (name, raw[len(name) + 1 :].strip(b" \t\r\n")) for name, raw in named]
    )
    # What goes on in a further line begins there with a blank, and no name does.
    return collapsed(whole.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" "))


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
