"""The privacy notice behind every consent text: the controller's own, or the generated one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.errors import ConfigError
from gateway.look import claims, generated_notices, own_notices
from gateway.look.translations import choose_locale

if TYPE_CHECKING:
    from gateway.config.config import Config


def notice(config: Config, locale: str) -> str:
    """The notice in *locale*, as Markdown; English where there is none in it.

    Raises ConfigError for one that says what is not so: it must stand behind no
    consent. Its hash is part of what people agree to.
    """
    if found := list(_problems(config, locale)):
        raise ConfigError(found)
    own = _own(config, locale)
    if own is not None:
        return own[1]
    return claims.without_marks(generated_notices.generate(config, locale))


def problems(config: Config) -> list[str]:
    """Why notices of this configuration cannot be published, each by its key path."""
    found = (problem for locale in config.locales for problem in _problems(config, locale))
    return list(dict.fromkeys(found))


def _problems(config: Config, locale: str) -> Iterator[str]:
    own = _own(config, locale)
    if own is not None:
        language, text = own
        yield from (
            f"controller.notice.{language}: {problem}"
            for problem in own_notices.problems(config, language, text)
        )
        return
    said = list(claims.statements(generated_notices.generate(config, locale)))
    for problem in claims.unfounded(said, claims.capabilities(config)):
        yield f"controller.notice: the built-in one {problem}"


def _own(config: Config, locale: str) -> tuple[str, str] | None:
    """The controller's own text that is nearest, and its language."""
    own = config.controller.notice
    if not own:
        return None
    language = choose_locale(None, locale, tuple(own))
    return language, own[language].read_text("utf-8")
