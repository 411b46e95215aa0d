"""Why a service mail is in the outbox: said by who queues it, asked by who sends and settles it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from delivery.outbox import Message
from storage.types import is_name


@dataclass(frozen=True, slots=True)
class ToConfirm:
    """Somebody signed up, or is asked *anew*: the mail asks for what its token names."""

    token_hash: bytes
    anew: bool = False


@dataclass(frozen=True, slots=True)
class ToOpen:
    """Somebody asked to see their data: the mail carries this fresh link."""

    link: str


@dataclass(frozen=True, slots=True)
class ToTell:
    """Somebody withdrew this consent: the mail tells them so."""

    consent: str


@dataclass(frozen=True, slots=True)
class ToAddress:
    """Somebody's address is to change, or has: the mail goes where the row of this link says."""

    link: str


@dataclass(frozen=True, slots=True)
class ToKeep:
    """A public checkpoint is to be kept elsewhere: the mail carries the one of this event."""

    event: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that this release writes; a later one may know."""


Occasion = ToConfirm | ToOpen | ToAddress | ToTell | ToKeep


class _Word(StrEnum):
    CONFIRMATION = "confirmation"
    FRESH_LINK = "fresh-link"
    ADDRESS = "address"
    RE_PERMISSION = "re-permission"
    WITHDRAWAL = "withdrawal"
    CHECKPOINT = "checkpoint"


def columns(occasion: Occasion | None) -> dict[str, str]:
    """An occasion as the outbox keeps it: its word, and what the mail is regarding."""
    match occasion:
        case None:
            return {}
        case ToConfirm(token_hash, anew):
            word = _Word.RE_PERMISSION if anew else _Word.CONFIRMATION
            return {"occasion": word, "regarding": token_hash.hex()}
        case ToOpen(link):
            return {"occasion": _Word.FRESH_LINK, "regarding": link}
        case ToTell(consent):
            return {"occasion": _Word.WITHDRAWAL, "regarding": consent}
        case ToAddress(link):
            return {"occasion": _Word.ADDRESS, "regarding": link}
        case ToKeep(event):
            return {"occasion": _Word.CHECKPOINT, "regarding": event}
        case _:
            assert_never(occasion)


def of(message: Message) -> Occasion | Unknown | None:
    """The occasion of *message*; None for one that rests on a consent alone."""
    if message.regarding is None and message.occasion is None:
        return None
    regarding = message.regarding or ""
    if not is_name(regarding):
        return Unknown()  # one that can be asked for in no statement
    match message.occasion:
        case _Word.CONFIRMATION | _Word.RE_PERMISSION as word:
            return _to_confirm(regarding, anew=word == _Word.RE_PERMISSION)
        case _Word.FRESH_LINK:
            return ToOpen(regarding)
        case _Word.WITHDRAWAL:
            return ToTell(regarding)
        case _Word.ADDRESS:
            return ToAddress(regarding)
        case _Word.CHECKPOINT:
            return ToKeep(regarding)
        case _:
            return Unknown()


def _to_confirm(regarding: str, *, anew: bool) -> ToConfirm | Unknown:
    try:
        return ToConfirm(bytes.fromhex(regarding), anew)
    except ValueError:
        return Unknown()
