"""The patterns that values of requests and of the configuration must fit, with words for each.

Whoever wrote a value that does not fit is told the words: a pattern says it to nobody.
"""

from __future__ import annotations

from typing import Final

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
SHORT_NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,31}$"
FIELD_NAME: Final = r"^[a-z][a-z0-9_]{0,39}$"
OPTION: Final = r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,39}$"
IDENTIFIER: Final = r"^[a-z]{3}_[a-z0-9]{1,36}$"
REQUEST: Final = r"^req_[0-9a-v]{26}$"
EVENT_KIND: Final = r"^[a-z_]{1,32}\.[a-z_]{1,32}$"
# It stands in the log for ever: nothing that could be an address, nor a name alone.
CASE_NUMBER: Final = r"^[A-Za-z0-9._/:+=-]*[0-9][A-Za-z0-9._/:+=-]*$"
TEXT_HASH: Final = r"^sha256:[0-9a-f]{64}$"
STAMP: Final = r"^[A-Za-z0-9_.-]{1,16000}$"
# Printable ASCII without space and @: no address.
EXTERNAL_ID: Final = r"^[!-?A-~]{1,128}$"
LINE: Final = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"
FILLED_LINE: Final = r"^[^\x00-\x1f\x7f\u2028\u2029]+$"
CURSOR: Final = r"^[0-9]{1,9}_[A-Za-z0-9_-]{1,400}$"
LOCALE: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
COLOUR: Final = r"^#[0-9a-fA-F]{6}$"
ZONE: Final = r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"
EXPORT: Final = r"^(0|[1-9][0-9]{0,15})-[0-9a-f]{16}$"
SUBDIVISION: Final = r"^[A-Za-z0-9-]{1,32}$"

_OF_NAME: Final = "lower-case letters, digits, - and _, the first a letter or digit"
_WORDS: Final = {
    NAME: f"must be a name: {_OF_NAME}, at most 64",
    SHORT_NAME: f"must be a name: {_OF_NAME}, at most 32",
    FIELD_NAME: "must be a name: lower-case letters, digits and _, the first a letter, at most 40",
    OPTION: "must be letters, digits, _ + and -, the first a letter or digit, at most 40",
    IDENTIFIER: "must be an id as this gateway gives them: three letters, _, letters and digits",
    REQUEST: "must be the id of a request: req_ and 26 letters and digits",
    EVENT_KIND: "must be a kind of event, such as consent.confirmed",
    CASE_NUMBER: "must be letters, digits and . _ / : + = -, with at least one digit, at most 64",
    TEXT_HASH: "must be a hash: sha256: and 64 of 0 to 9 and a to f",
    STAMP: "must be a stamp as the form had it",
    EXTERNAL_ID: "must be 1 to 128 letters, digits and signs without space and @: no address",
    LINE: "must be one line without control characters",
    FILLED_LINE: "must be one line without control characters",
    CURSOR: "must be what `next` of the page before was",
    LOCALE: "must be a language, such as de or de-AT",
    COLOUR: "must be a colour, such as #0b5fff",
    ZONE: "must be the name of a time zone, such as Europe/Berlin",
    EXPORT: "must be the name of an export, as ETag had it: digits, - and 16 of 0 to 9 and a to f",
    SUBDIVISION: "must be the code of a state or province, such as BE",
}


def in_words(pattern: str) -> str:
    """What must be so of a value that does not fit *pattern*."""
    return _WORDS.get(pattern, "is not written as it must be")
