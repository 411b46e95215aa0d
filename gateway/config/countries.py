"""Countries: by their ISO 3166 code in the configuration, by their name to people. Pure."""

from __future__ import annotations

from typing import Final

from babel import Locale, UnknownLocaleError

_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_BESIDE_IT = "IS LI NO"
EEA: Final = frozenset([*_EU.split(), *_BESIDE_IT.split()])  # where the GDPR is law
# CLDR names more than countries: unions, islands with a code of their own, placeholders.
_OTHERS = "AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ"
_NO_COUNTRY: Final = frozenset(_OTHERS.split())


def parse_country(raw: object) -> str:
    """The code of a country. Raises ValueError."""
    known = Locale("en").territories
    if not isinstance(raw, str) or len(raw) != 2 or raw not in known or raw in _NO_COUNTRY:
        raise ValueError('write the ISO 3166 code of a country, such as "DE"')
    return raw


def name_of(country: str, language: str) -> str:
    """Its name in *language*, or in English where none is known for it."""
    try:
        names = Locale(language.partition("-")[0]).territories
    except UnknownLocaleError:
        names = Locale("en").territories
    return str(names[country])
