"""Who mails, and what for, as the wordings of consents are compared with it."""

from __future__ import annotations

from consent import coverage
from consent.coverage import Mailing, Offer, Party
from gateway.config.config import Config, Purpose


def mailing(config: Config) -> Mailing:
    """Everybody who mails, and what the purposes ask for."""
    controller = config.controller
    return Mailing(
        Party(controller.name, controller.postal_address, frozenset(controller.was)),
        {
            name: Party(sender.name, sender.from_address, frozenset(sender.was))
            for name, sender in config.senders.items()
        },
        {
            name: Offer(purpose.sender, frozenset(sentences(name, purpose).values()))
            for name, purpose in config.purposes.items()
        },
    )


def sentences(name: str, purpose: Purpose) -> dict[str, str]:
    """What a purpose's wording says in each language, by the name that coverage has for it."""
    return {
        locale: coverage.said(
            {"purpose": name, "locale": locale, "title": purpose.title[locale], "text": text}
        )
        for locale, text in purpose.text.items()
    }
