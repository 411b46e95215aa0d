"""Languages that the configuration asks for and that have no catalogue. Pure.

A form in one would show the operator's words in it, and every button, error, mail and
the notice beside them in English: whoever agreed there read two languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.look.translations import is_spoken, languages

if TYPE_CHECKING:
    from gateway.config.config import Config


def problems(config: Config) -> Iterator[str]:
    """Where one is asked for; a start refuses each."""
    for place, locale in _asked_for(config):
        if not is_spoken(locale):
            known = ", ".join(languages())
            yield f"{place}: the language {locale} has no catalogue; there are: {known}"


def _asked_for(config: Config) -> Iterator[tuple[str, str]]:
    for name, purpose in config.purposes.items():
        for locale in purpose.text:
            yield f"purposes.{name}.text.{locale}", locale
    if config.audit.mail is not None:
        yield "audit.mail.language", config.audit.mail.language
