"""The built-in privacy notice, generated from the configuration (Art. 13 and 14 GDPR)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from consent.service_mails import LINK_LIFE
from consent.sign_ups import CONFIRM_WITHIN
from gateway.config.countries import EEA, name_of
from gateway.look import claims, resources
from gateway.look.translations import choose_locale, translations

if TYPE_CHECKING:
    from gateway.config.config import Config, Processor

_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365)
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>&])")


def generate(config: Config, locale: str) -> str:
    """The notice in *locale*, or in English, as Markdown with the marks of its claims.

    The same configuration gives the same bytes on every node.
    """
    path = template(locale)
    language, able = path.stem, claims.capabilities(config)
    text = (
        _templates(path.parent)
        .get_template(path.name)
        .render(
            claim=claims.Marks(),
            can={one.name.lower(): one in able for one in claims.Capability},
            controller=config.controller,
            senders=[config.senders[name] for name in sorted(config.senders)],
            processors=processors(config.processors, language),
            purposes=list(_terms(config, language)),
            kept=kept_for(config, language),
            own_pages=f"{config.server.public_url}/my-data",
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"


def template(locale: str) -> Path:
    """The built-in notice in the language that is nearest."""
    written = (resources.templates() / "notice").glob("*.md")
    by_language = {path.stem: path for path in sorted(written, key=lambda path: path.stem != "en")}
    return by_language[choose_locale(None, locale, tuple(by_language))]


@lru_cache(maxsize=4)
def _templates(directory: Path) -> Environment:
    # Markdown, not HTML: gateway.look.markdown escapes all of it when it is shown.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    return environment


def plain(text: str) -> str:
    """As Markdown that reads as *text*: a star in a brand's name is a star."""
    return _MARKUP.sub(r"\\\1", text)


def spell(length: timedelta, locale: str) -> str:
    """Say a length in words: in years or days where it is whole ones, else in hours."""
    ngettext = translations(locale).ngettext
    if not length:
        return translations(locale).gettext("not at all")
    if length % _YEAR == timedelta():
        count = length // _YEAR
        return ngettext("%(num)s year", "%(num)s years", count) % {"num": count}
    if length % _DAY == timedelta():
        count = length // _DAY
        return ngettext("%(num)s day", "%(num)s days", count) % {"num": count}
    count = -(-length // timedelta(hours=1))
    return ngettext("%(num)s hour", "%(num)s hours", count) % {"num": count}


def kept_for(config: Config, locale: str) -> dict[str, str]:
    """How long each kind of record is really kept, in words.

    A request is kept while its link works, and that a mail went while a cap counts it,
    whatever `[retention]` says.
    """
    kept = config.retention
    windows = (one.at_most.window for one in config.purposes.values() if one.at_most)
    lengths = {
        "unconfirmed": max(kept.unconfirmed, CONFIRM_WITHIN),
        "bodies": kept.message_bodies,
        "outcomes": max(kept.messages, *windows, timedelta()),
        "proof": kept.evidence_after_withdrawal,
        "service_mails": LINK_LIFE,
        "requests": kept.rights_requests,
        "takings": kept.takings_away,
    }
    return {name: spell(length, locale) for name, length in lengths.items()}


def _terms(config: Config, locale: str) -> Iterator[dict[str, str | None]]:
    """What people consent to, and when each consent ends by itself."""
    for _, purpose in sorted(config.purposes.items()):
        ends, unused = purpose.expires_after, purpose.unused_after
        yield {
            "title": purpose.title[choose_locale(None, locale, tuple(purpose.title))],
            "ends": spell(ends, locale) if ends else None,
            "unused": spell(unused, locale) if unused else None,
        }


def processors(named: Mapping[str, Processor], locale: str) -> list[dict[str, Any]]:
    """Who else handles the data, as people read it."""
    return [_processor(one, locale) for _, one in sorted(named.items())]


def _processor(one: Processor, locale: str) -> dict[str, Any]:
    def told(lines: dict[str, str]) -> str:
        line = lines.get("") or lines[choose_locale(None, locale, tuple(lines))]
        return line.rstrip(" .")

    return {
        "name": one.name,
        "role": told(dict(one.role)),
        "country": name_of(one.country, locale),
        "is_outside": one.country not in EEA,
        "safeguard": told(dict(one.safeguard)) if one.safeguard else None,
    }
