"""The languages of pages and mails: catalogues, and the choice between them.

English is the language of the templates themselves. A catalogue is a reviewable
`.po` file, compiled in memory when first asked for; no binary is kept.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.look import resources
from storage.invisible import trimmed

SOURCE: Final = "en"
_LONGEST_HEADER: Final = 1000
_TAG: Final = re.compile(r"[a-z0-9-]{0,60}", re.ASCII)


def say(message: str) -> str:
    """Marks a message for the catalogues; it is translated where it is written."""
    return message


@cache
def languages() -> tuple[str, ...]:
    """The languages with a catalogue, English first."""
    found = (path.parent.parent.name for path in resources.catalogues().glob("*/*/messages.po"))
    return tuple(sorted(found, key=lambda name: (name != SOURCE, name)))


@cache
def translations(locale: str) -> gettext.NullTranslations:
    """The messages of *locale*: of its language where the region has none, else English."""
    language = _closest(locale, languages()) or SOURCE
    path = resources.catalogues() / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def tongues() -> tuple[tuple[str, str], ...]:
    """Each of them with the name that who speaks it has for it."""
    return tuple((language, name_of_language(language, language)) for language in languages())


def name_of_language(tag: str, locale: str) -> str:
    """What *locale* calls a language; its tag where nobody has a name for it."""
    spoken = _closest(locale, languages()) or SOURCE
    try:
        found = Locale.parse(tag.partition("-")[0]).get_language_name(spoken.partition("-")[0])
    except (UnknownLocaleError, ValueError):
        found = None
    return tag if found is None else found[:1].upper() + found[1:]


def is_spoken(locale: str) -> bool:
    """Whether *locale* has a catalogue, or its language has."""
    return _closest(locale, languages()) is not None


def choose_locale(accept_language: str | None, wanted: str | None, available: Sequence[str]) -> str:
    """Pick one of *available*: the one asked for, else the visitor's best, else the first.

    Both inputs come from strangers; whatever cannot be read counts as absent.
    """
    if wanted and (found := _closest(wanted, available)):
        return found
    for tag in _by_preference(accept_language or ""):
        if tag == "*":
            break
        if found := _closest(tag, available):
            return found
    return available[0]


def _closest(wanted: str, available: Sequence[str]) -> str | None:
    """The entry that *wanted* names, or what it is a kind of, or else the first of its language.

    RFC 4647, section 3.4: `zh-hant-tw` is shown `zh-hant`, and before others `zh`.
    """
    tag = _tag(wanted)
    language = tag.partition("-")[0]
    known = {_tag(entry): entry for entry in reversed(available)}
    while tag:
        if tag in known:
            return known[tag]
        tag = tag.rpartition("-")[0]
    return next(
        (entry for key, entry in reversed(known.items()) if key.split("-")[0] == language), None
    )


def _tag(wanted: str) -> str:
    """As BCP 47 writes it, in lower case; also of `de_AT.UTF-8@euro`, as machines name languages.

    Empty for what is none.
    """
    found = _TAG.match(trimmed(wanted).replace("_", "-").lower())
    return found[0] if found else ""


def _by_preference(header: str) -> list[str]:
    """The tags of an Accept-Language header (RFC 9110, section 12.5.4), best first."""
    weighed = [_weighed(part) for part in header[:_LONGEST_HEADER].split(",")]
    wanted = [(quality, tag) for quality, tag in weighed if tag and quality > 0]
    return [tag for _, tag in sorted(wanted, key=lambda pair: -pair[0])]


def _weighed(part: str) -> tuple[float, str]:
    tag, _, parameters = part.partition(";")
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0, tag.strip()
    try:
        return float(value), tag.strip()
    except ValueError:
        return 0.0, ""
