"""The option `--locale` of commands that write for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import CallbackParam

LOCALE = "Its language: en, or one that has a catalogue (gateway/look/locale)."


def spoken(_: CallbackParam, locale: str) -> str:
    """One that has a catalogue, or a region of it; else the command says which there are."""
    from typer import BadParameter

    from gateway.look.translations import is_spoken, languages

    if not is_spoken(locale):
        raise BadParameter(f"there are: {', '.join(languages())}")
    return locale
