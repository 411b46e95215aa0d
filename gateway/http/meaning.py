"""What a JSON body says, whatever it looks like: for telling a repetition from another request."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Final

# From here on RFC 8785 writes a number by its exponent. Written out it would have up to 309 digits:
# of a body of numbers like 1e308 fifty times as much would be made.
_BY_EXPONENT: Final = 1e21

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def meaning_of(body: bytes) -> bytes:
    """The same bytes for all JSON that says the same as *body*, and others for what says else.

    The same as in RFC 8785: order of names, white space, escapes and the spelling
    of a number say nothing. Of a name that is there twice the last one counts, as
    everywhere here. Whole numbers keep all their digits, where RFC 8785 would take
    two for one beyond 2^53. What Python does not read is its own meaning. It is
    little longer than *body*, whatever is in it.
    """
    try:
        return _encode(json.loads(body.removeprefix(BOM_UTF8), parse_float=_number)).encode()
    except (ValueError, OverflowError, RecursionError):
        return body


def _number(written: str) -> int | float:
    number = float(written)
    # By its shortest digits, as RFC 8785 writes it: beyond 2^53 the double itself has others.
    is_plain = number.is_integer() and abs(number) < _BY_EXPONENT
    return int(Decimal(repr(number))) if is_plain else number
