"""At start the configuration's wordings are published; what is new of them is audited.

So are the former names that it declares.
"""

from __future__ import annotations

from audit import trail
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import texts
from consent.texts import Notice
from gateway.config.config import Config
from gateway.flows.joining import identities
from gateway.look.notices import notice
from gateway.look.translations import translations
from gateway.parts import Parts


def bundles(config: Config) -> tuple[list[bytes], list[Notice]]:
    """Every consent text and privacy notice of the configuration; the same on every node."""
    notices = {one: texts.notice_of(one, notice(config, one)) for one in config.locales}
    made = [
        texts.bundle(
            purpose=name,
            locale=locale,
            title=purpose.title[locale],
            text=purpose.text[locale],
            controller=config.controller,
            sender=config.sender_of(name),
            notice_hash=notices[locale].hash,
            imprint_url=config.sender_of(name).imprint_url,
            withdraw=_how_to_withdraw(locale),
        )
        for name, purpose in sorted(config.purposes.items())
        for locale in sorted(purpose.text)
    ]
    return made, list(notices.values())


def _how_to_withdraw(locale: str) -> str:
    return translations(locale).gettext(
        "You can withdraw your consent at any time with effect for the future, by the "
        "unsubscribe link in every mail or by a message to the controller."
    )


async def publish(parts: Parts) -> list[str]:
    """Make the configuration's texts current; returns the hashes that are new."""
    made, notices = bundles(parts.config)
    # Together: a text whose event was lost could be agreed to, and never be proven.
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        fresh = await texts.publish(connection, made, notices, now)
        told = await trail.happenings(connection, parts.log.macs, [Kind.IDENTITY_DECLARED])
        drafts = list(identities.undeclared(parts.config, told, parts.log.node, now))
        drafts += [
            draft(
                Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, now, refs={"text": text}),
                None,
                parts.log.node,
            )
            for text in fresh
        ]
        await parts.log.stage(connection, drafts)
    return fresh
