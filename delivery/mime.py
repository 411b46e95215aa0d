"""Mails as bytes: composed once, signed, and then never changed.

Everything is 7-bit, every line ends in CRLF and is short enough, so that no
relay has a reason to re-encode what was signed (RFC 6376, section 5.3). Python's
`email` is not used: it turns a long List-Unsubscribe into encoded-words, which
ends one-click unsubscribing, and is too slow for bulk.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from delivery import dkim, relaxed, transfer
from delivery.dkim import BodyHash, Field
from delivery.errors import ComposeError
from delivery.outcome import Kind
from delivery.transfer import Encoded
from storage import domains

_LINE: Final = 76  # RFC 5322, section 2.1.1, asks for 78 at most
_WORD: Final = 45  # bytes in one encoded-word of at most 75 characters: RFC 2047, section 2

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]+")
_BLANKS: Final = re.compile(" {2,}")
# Fewer than RFC 5322 allows in an atom: some relays put quotes around an apostrophe and the like.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+)*")
_QUOTABLE: Final = re.compile(r"""[ !#-\[\]-~]+""")  # what stands in quotes without a backslash
_PRINTABLE: Final = re.compile("[ -~]*")
_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
_LOCAL_PART: Final = re.compile(_LOCAL)
# As it is to be written, as nearly all are. With a letter first, the last label is of no number.
_WRITTEN: Final = re.compile(rf"{_LOCAL}@(?:{domains.LABEL}\.)*(?=[a-z]){domains.LABEL}")
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_.+-]{1,128}@[A-Za-z0-9.-]{1,253}")
_LIST_ID: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_FEEDBACK_ID: Final = re.compile(r"[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+){3}")
_URL: Final = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+")


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail says. Without *html* it is a plain text."""

    subject: str
    text: str
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Printed:
    """What a mail says, encoded already."""

    subject: str = field(repr=False)
    text: Encoded
    html: Encoded | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """Who writes to whom, and how to leave; the rest of the header follows from it.

    *message_id* is written without its angle brackets. It and *date* are the
    same on every try, so that a second copy is recognised and equal.
    """

    kind: Kind
    sender_name: str
    sender_address: str
    to: str
    message_id: str
    date: datetime
    list_unsubscribe: str | None = None
    list_id: str | None = None
    feedback_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A composed mail: what is signed is what is sent."""

    fields: tuple[Field, ...]
    body: bytes
    body_hash: BodyHash

    def wire(self, signatures: Iterable[bytes] = ()) -> bytes:
        """The bytes between DATA and the final dot, before dots are doubled."""
        fields = [raw for _, raw in self.fields]
        return b"".join((*signatures, *fields, b"\r\n", self.body))


def printed(content: Content) -> Printed:
    """What a mail says, encoded as a whole."""
    html = None if content.html is None else transfer.encoded(content.html)
    return Printed(content.subject, transfer.encoded(content.text), html)


def compose(header: Header, content: Content | Printed) -> Mail:
    """Compose a mail; the same input always gives the same bytes.

    Control characters are taken out of texts and names: nothing in them can
    start a field of its own. An address, URL or id that has no literal form is
    a `ComposeError`, as is marketing without a way to leave.
    """
    fields = [
        _from(header.sender_name, _address("sender_address", header)),
        _field("To", _address("to", header)),
        _field("Subject", _unstructured(content.subject, len("Subject: "))),
        _date(header.date),
        _field("Message-ID", f"<{_literal('message_id', header.message_id, _MESSAGE_ID)}>"),
        *_ways_to_leave(header),
        *_feedback(header),
        # RFC 3834, section 5: nobody's holiday notice answers these.
        _same("Auto-Submitted", "auto-generated"),
        _same("MIME-Version", "1.0"),
    ]
    ready = printed(content) if isinstance(content, Content) else content
    part_fields, body, hashed = _body(header.message_id, ready)
    return Mail((*fields, *part_fields), body, hashed)


def body_of(message_id: str, text: str, html: str | None) -> tuple[list[Field], bytes]:
    """A body with the fields that say what it is; the same words always give the same bytes."""
    return _body(message_id, printed(Content("", text, html)))[:2]


def ascii_address(address: str) -> str:
    """An address as the header and the envelope carry it: the domain as A-labels.

    A `ValueError` when there is no such form, above all for a local part
    outside ASCII, which only SMTPUTF8 could carry.
    """
    if len(address) <= domains.LONGEST and _WRITTEN.fullmatch(address):
        return address
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        raise ValueError("not an address that can be written in ASCII")
    return f"{local}@{domains.to_ascii(domain)}"


def _field(name: str, value: str) -> Field:
    return name.encode(), f"{name}: {value}\r\n".encode("ascii")


_same = lru_cache(maxsize=256)(_field)  # for what many mails have, and never for anybody's own


@lru_cache(maxsize=64)
def _date(moment: datetime) -> Field:
    """The mails of a claim have the same."""
    return _field("Date", format_datetime(moment))


@lru_cache(maxsize=64)
def _from(name: str, address: str) -> Field:
    return _field("From", _mailbox(name, address))


def _address(which: str, header: Header) -> str:
    try:
        return ascii_address(getattr(header, which))
    except ValueError:
        raise ComposeError(which) from None  # the cause quotes the address


def _mailbox(name: str, address: str) -> str:
    phrase = _phrase(name, len("From: "))
    if not phrase:
        return address
    last = phrase.rpartition("\r\n")[2]
    fits = len("From: ") + len(last) + len(address) + 3 <= _LINE
    return f"{phrase}{' ' if fits else chr(13) + chr(10) + ' '}<{address}>"


def _phrase(name: str, used: int) -> str:
    """A display name: as it is, quoted (RFC 5322, section 3.2.4) or encoded (RFC 2047).

    In such a form that no relay has a reason to write it otherwise, and with
    it to break the signature.
    """
    name = _cleaned(name)
    if "=?" not in name and len(name) <= 60:
        if _PLAIN_NAME.fullmatch(name):
            return name
        if not name or _QUOTABLE.fullmatch(name):
            return name and f'"{name}"'
    return _encoded(name, used)


def _unstructured(text: str, used: int) -> str:
    """A subject, folded; encoded when it is not plain ASCII or holds a word too long to fold."""
    text = _cleaned(text)
    words = text.split(" ")
    longest = max(map(len, words))
    if "=?" in text or longest > _LINE - used or not _PRINTABLE.fullmatch(text):
        return _encoded(text, used)
    lines = [words[0]]
    room = _LINE - used
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] += f" {word}"
    return "\r\n ".join(lines)


def _encoded(text: str, used: int) -> str:
    """Encoded-words (RFC 2047) of at most 75 characters; no character is cut in two."""
    words: list[bytes] = []
    current = b""
    room = (_LINE - used - len("=?utf-8?b??=")) // 4 * 3  # the first shares its line with the name
    for character in text:
        raw = character.encode()
        if len(current) + len(raw) > min(room, _WORD):
            words.append(current)
            current, room = b"", _WORD
        current += raw
    words.append(current)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


def _cleaned(text: str) -> str:
    """One line of visible characters: what could end a field becomes a space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")
    text = _UNSEEN.sub(" ", _well_formed(text))
    return _BLANKS.sub(" ", text).strip(" ")


def _well_formed(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _feedback(header: Header) -> list[Field]:
    """Four words, by which mailbox providers tell senders how many complained."""
    if header.feedback_id is None:
        return []
    return [_field("Feedback-ID", _literal("feedback_id", header.feedback_id, _FEEDBACK_ID, 255))]


def _ways_to_leave(header: Header) -> list[Field]:
    """RFC 2369, 2919 and 8058; each value stands literally on one line, never encoded."""
    if header.kind is Kind.SERVICE:
        return []
    if header.list_unsubscribe is None:
        raise ComposeError("list_unsubscribe")
    url = _literal("list_unsubscribe", header.list_unsubscribe, _URL)
    fields = []
    if header.list_id is not None:
        list_id = _literal("list_id", header.list_id, _LIST_ID, 255)
        fields.append(_same("List-Id", f"<{list_id}>"))
    return [
        *fields,
        _field("List-Unsubscribe", f"<{url}>"),
        _same("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        _same("Precedence", "bulk"),
    ]


def _literal(field: str, value: str, form: re.Pattern[str], longest: int = 970) -> str:
    if len(value) > longest or not form.fullmatch(value):
        raise ComposeError(field)
    return value


def _body(message_id: str, ready: Printed) -> tuple[list[Field], bytes, BodyHash]:
    """What a body is, the body, and the hash of its relaxed form."""
    text, html = ready.text, ready.html
    if html is None:
        return _part("plain", text), text.wire, dkim.hash_relaxed(relaxed.ended(text.relaxed))
    boundary = f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}"
    kind = f'multipart/alternative;\r\n boundary="{boundary}"'
    before_text, before_html = (
        b"".join((b"--", boundary.encode(), b"\r\n", *(raw for _, raw in fields), b"\r\n"))
        for fields in (_part("plain", text), _part("html", html))
    )
    end = f"--{boundary}--\r\n".encode()
    # What stands around the parts is relaxed as it is.
    body = b"".join((before_text, text.wire, before_html, html.wire, end))
    same = b"".join((before_text, text.relaxed, before_html, html.relaxed, end))
    return [_field("Content-Type", kind)], body, dkim.hash_relaxed(same)


def _part(subtype: str, part: Encoded) -> list[Field]:
    return [
        _same("Content-Type", f"text/{subtype}; charset=utf-8"),
        _same("Content-Transfer-Encoding", part.encoding),
    ]
