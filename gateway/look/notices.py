"""The privacy notice behind every consent text: the controller's own, or the built-in one."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from consent.service_mails import LINK_LIFE
from gateway.look import resources
from gateway.look.translations import choose_locale, translations

if TYPE_CHECKING:
    from gateway.config.config import Config, Retention

_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365)


def notice(config: Config, locale: str) -> str:
    """The notice in *locale*, as Markdown; English where there is neither a text nor a template.

    The same configuration gives the same bytes on every node, for their hash is
    part of what people agree to.
    """
    own = config.controller.notice
    if own:
        return own[choose_locale(None, locale, tuple(own))].read_text("utf-8")
    directory = resources.templates() / "notice"
    written = sorted((path.stem for path in directory.glob("*.md")), key=lambda name: name != "en")
    language = choose_locale(None, locale, written)
    template = _templates(directory).get_template(f"{language}.md")
    text = template.render(
        controller=config.controller,
        senders=[config.senders[name] for name in sorted(config.senders)],
        kept=_kept(config.retention, language),
    )
    return text.strip() + "\n"


@lru_cache(maxsize=4)
def _templates(directory: Path) -> Environment:
    # Markdown, not HTML: gateway.look.markdown escapes all of it when it is shown.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


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


def _kept(retention: Retention, locale: str) -> dict[str, str]:
    """How long each kind of record is kept, in words: what an operator sets, and what is fixed."""
    kept = {name: getattr(retention, name) for name in type(retention).model_fields}
    return {
        name: spell(time, locale) for name, time in (kept | {"service_mails": LINK_LIFE}).items()
    }
