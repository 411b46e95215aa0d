"""What became of a mail of ours on its way, as far as it can be proven. Pure.

The signature says what was signed. Undo what lists, forwarders and gateways of mails are known
to do, and where it holds again, that is what was done, and nothing else. Each step is linear.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from delivery import charsets, handed_in, mime, relaxed
from delivery.dkim import Field
from delivery.handed_in import HandedIn
from delivery.signatures import Signature

_MOST_LINES: Final = 100_000  # a footer is not looked for behind more
_MOST_RECODED: Final = 4 * 1024 * 1024
_MOST_UNDONE: Final = 3  # changes of the header at once
_MOST_TRIED: Final = 12
_TAG: Final = rb"(?:\[[^\]\r\n]{1,80}\]|(?:re|fwd?|aw|wg|antw|sv)\s?:|\*{2,5}[^*\r\n]{1,40}\*{2,5})"
_TAGS: Final = re.compile(rb"\s?%s(?:\s?%s){0,5}\s?" % (_TAG, _TAG), re.IGNORECASE)
_CHARSET: Final = re.compile(rb';[ \t]*charset[ \t]*=[ \t]*"?([A-Za-z0-9_-]{1,40})', re.IGNORECASE)
_SUBTYPE: Final = re.compile(rb"text/(plain|html)", re.IGNORECASE)
_OF_A_BODY: Final = (b"content-type", b"content-transfer-encoding")
_FORMER_FROM: Final = (b"x-original-from", b"x-original-sender", b"reply-to")

Fields = tuple[Field, ...]
Holds = Callable[[Sequence[Field]], bool]


class How(StrEnum):
    """What was done to a body."""

    APPENDED = "appended"  # it is whole, and lines follow it
    WRAPPED = "wrapped"  # it is whole, as one part of another mail
    RECODED = "recoded"  # the same words in another transfer encoding or character set
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Altered:
    """*fields* are those of the header that were altered, added or taken out.

    Only where *proven* these are all, and the rest is what was signed.
    """

    body: How | None
    fields: tuple[str, ...]
    proven: bool


def found_in(mail: HandedIn, signature: Signature, holds: Holds) -> Altered | None:
    """What is other than *signature* says, which is ours; None: nothing."""
    body, fields = _body(mail, signature)
    base = _with(mail.fields, fields)
    touched = _names(name for name, _ in fields)
    if holds(base):
        changed = touched if not holds(mail.fields) else ()
        return Altered(body, changed, proven=True) if body or changed else None
    for some in _trials(base, signature):
        undone = base
        for one in some:
            undone = one.undo(undone)
        if holds(undone):
            return Altered(body, _names(one.name for one in some) + touched, proven=True)
    return Altered(body, _names(_miscounted(mail.fields, signature)), proven=False)


def _names(names: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.decode("ascii", "replace") for one in names))


def _body(mail: HandedIn, signature: Signature) -> tuple[How | None, Fields]:
    """How the body was changed, and the fields about it as they were."""
    wanted = signature.body_hash

    def fits(raw: bytes) -> bool:
        return hashlib.sha256(relaxed.body(raw)).digest() == wanted

    if fits(mail.body):
        return None, ()
    if _is_beginning(mail.body, wanted):
        return How.APPENDED, ()
    for part in handed_in.parts(mail):
        # What stands before the boundary behind it may be one more line end.
        if fits(part.body):
            return How.WRAPPED, tuple(one for one in part.fields if one[0] in _OF_A_BODY)
    again = _encoded_again(mail)
    if again is not None and fits(again[1]):
        return How.RECODED, tuple((name.lower(), raw) for name, raw in again[0])
    return How.CHANGED, ()


def _is_beginning(body: bytes, wanted: bytes) -> bool:
    """Whether the first lines alone are what was signed."""
    lines = relaxed.body(body).split(b"\r\n")[:-1]
    if len(lines) > _MOST_LINES:
        return False
    digest, empty = hashlib.sha256(), 0
    for line in lines:
        if not line:
            empty += 1
            continue
        digest.update(b"\r\n" * empty + line + b"\r\n")
        empty = 0
        if digest.copy().digest() == wanted:
            return True
    return False


def _encoded_again(mail: HandedIn) -> tuple[list[Field], bytes] | None:
    """The body as we would encode the same words; None where it is no such as we make."""
    ids = mail.values(b"message-id")
    texts = _texts(mail) if len(mail.body) <= _MOST_RECODED else {}
    if len(ids) != 1 or b"plain" not in texts:
        return None
    name = ids[0].strip(b"<>").decode("ascii", "replace")
    return mime.body_of(name, texts[b"plain"], texts.get(b"html"))


def _texts(mail: HandedIn) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for part in (list(handed_in.parts(mail)) or [mail])[:2]:
        kind = b";".join(part.values(b"content-type")[:1]) or b"text/plain"
        subtype, charset = _SUBTYPE.match(kind), _CHARSET.search(kind)
        text = _decoded(part, charset[1].decode() if charset else "utf-8")
        if subtype is not None and text is not None:
            found[subtype[1].lower()] = text
    return found


def _decoded(part: HandedIn, charset: str) -> str | None:
    encoding = b"".join(part.values(b"content-transfer-encoding")[:1]).lower()
    try:
        if encoding == b"base64":
            return charsets.decoded(base64.b64decode(part.body), charset)
        if encoding == b"quoted-printable":
            return charsets.decoded(binascii.a2b_qp(part.body), charset)
        return charsets.decoded(part.body, charset)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Change:
    """One thing that may have been done to a field, and how it is undone."""

    name: bytes
    undo: Callable[[Fields], Fields]


def _trials(fields: Fields, signature: Signature) -> Iterator[tuple[_Change, ...]]:
    changes = list(_changes(fields, signature))[:_MOST_TRIED]
    for count in range(1, _MOST_UNDONE + 1):
        yield from combinations(changes, count)


def _changes(fields: Fields, signature: Signature) -> Iterator[_Change]:
    for name, count in signature.counts().items():
        there = [raw for one, raw in fields if one == name]
        if len(there) > count:
            yield from (_Change(name, _without(name, raw)) for raw in dict.fromkeys(there[:4]))
    yield from _tagged(fields)
    for name, raw in fields:
        if name in _FORMER_FROM:
            said = b"From: " + handed_in.unfolded(raw) + b"\r\n"
            yield _Change(b"from", _instead(b"from", said))


def _tagged(fields: Fields) -> Iterator[_Change]:
    """A subject with what a list or a filter put before it."""
    for name, raw in fields:
        said = handed_in.unfolded(raw)
        if name == b"subject" and (tags := _TAGS.match(said)):
            untagged = b"Subject: " + said[tags.end() :] + b"\r\n"
            yield _Change(name, _instead(name, untagged))


def _without(name: bytes, raw: bytes) -> Callable[[Fields], Fields]:
    def undo(fields: Fields) -> Fields:
        at = next((n for n, one in enumerate(fields) if one == (name, raw)), None)
        return fields if at is None else fields[:at] + fields[at + 1 :]

    return undo


def _instead(name: bytes, raw: bytes) -> Callable[[Fields], Fields]:
    return lambda fields: _with(fields, ((name, raw),))


def _with(fields: Fields, others: Fields) -> Fields:
    """The same with these fields in the place of those of their names."""
    names = {name for name, _ in others}
    return tuple(one for one in fields if one[0] not in names) + others


def _miscounted(fields: Fields, signature: Signature) -> Iterator[bytes]:
    """Fields that stand there more often than they were signed, or less."""
    there = Counter(name for name, _ in fields)
    yield from (name for name, count in signature.counts().items() if there[name] != count)
