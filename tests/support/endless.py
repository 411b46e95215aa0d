"""Bodies that never end, by what is in them: a beginning, and what is repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

FIELD = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n'
MULTIPART = "multipart/form-data; boundary=x"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
# What is repeated, and what stands before it.
SHAPES = {
    "preamble": (MULTIPART, b"", b"\n"),
    "preamble of almost boundaries": (MULTIPART, b"", b"\r\n--"),
    "heads": (MULTIPART, b"--x\r\n", b"A: b\r\n"),
    "one head": (MULTIPART, b"--x\r\nA: ", b"b"),
    "parameters": (MULTIPART, b"--x\r\nContent-Disposition: form-data", b";a="),
    "parts": (MULTIPART, b"", FIELD + b"a\r\n"),
    "parts without a head": (MULTIPART, b"", b"--x\r\n"),
    "content": (MULTIPART, FIELD, b"a"),
    "content of line ends": (MULTIPART, FIELD, b"\r\n"),
    "epilogue": (MULTIPART, FIELD + b"a\r\n--x--", b"\r\n--x"),
    "pairs": (FORM, b"", b"a=1&"),
    "separators": (FORM, b"", b"&"),
    "one value": (FORM, b"email=", b"a"),
    "escapes": (FORM, b"email=", b"%e2%80%8b"),
    "half an escape": (FORM, b"email=", b"%"),
    "lists": (JSON, b"", b"["),
    "objects": (JSON, b"", b'{"a":'),
    "one text": (JSON, b'{"email": "', b"a"),
    "escapes of a text": (JSON, b'{"email": "', b"\\u200b"),
    "spaces": (JSON, b"{", b" "),
    "a number": (JSON, b'{"email": ', b"9"),
    "names": (JSON, b"{", b'"a":1,'),
    "no type that we read": ("application/octet-stream", b"", b"\x00"),
    "a mail": ("message/rfc822", b"", b"A: b\r\n"),
    "a type that is none": ("a" * 200, b"", b"a"),
}


def made(shape: str, size: int) -> bytes:
    """The first *size* bytes of such a body."""
    _, begin, again = SHAPES[shape]
    return (begin + again * (size // len(again) + 1))[:size]


def head(
    path: str, content_type: str, framing: str, more: Mapping[str, str], method: str = "POST"
) -> bytes:
    """The head of its request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Type: {content_type}", framing]
    lines += [f"{name}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(body: bytes, piece: int) -> Iterator[bytes]:
    """*body* in chunks of *piece* bytes; the last one is not there."""
    for at in range(0, len(body), piece):
        one = body[at : at + piece]
        yield b"%x\r\n%b\r\n" % (len(one), one)
