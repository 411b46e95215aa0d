"""The option `--locale` of commands that write for people."""

from __future__ import annotations

LOCALE = "In which language: en, or another that has a catalogue."


def spoken(locale: str) -> str:
    """One that has a catalogue, or a region of it; else the command says which there are."""
    from typer import BadParameter

    from gateway.look.translations import is_spoken, languages

    if not is_spoken(locale):
        raise BadParameter(f"there are: {', '.join(languages())}")
    return locale
