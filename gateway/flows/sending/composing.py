"""From a permitted letter to signed bytes, without I/O."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, assert_never

from consent import links, personal
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Route
from delivery import mime
from delivery.desk import Composed
from delivery.outbox import Message
from delivery.outcome import Kind
from delivery.transmission import Envelope
from gateway.config.config import Config
from gateway.flows.sending import content
from gateway.flows.sending.content import CallersParts, CallersTemplate, OurMail
from gateway.look import looks
from gateway.parts import Parts
from gateway.watch import logs

Attempt = tuple[str, int]  # a message by its id, and which try it is
_AHEAD = 40  # mails; more than the usual twenty connections ask for at once
_AT_ONCE = 0.001  # seconds; what the relay says meanwhile waits


@dataclass(frozen=True, slots=True)
class Letter:
    """A permitted message with what it needs, still sealed."""

    message: Message
    attempt: int
    permit: str
    dated_at: datetime
    gate: Gate
    content: bytes
    handle: bytes | None = field(repr=False)  # opens the unsubscribe link
    vault: Vault = field(repr=False)


class Composer:
    """Composes and signs permitted letters as they are asked for, and then forgets them.

    With *aside* in a thread: where the same loop answers strangers it must be,
    for signing would delay the next answer. Elsewhere a thread only fights for
    the interpreter; there the next letters are composed while connections wait
    for replies and for their permits to be spent, some at a time: each costs a
    sixth less while code and templates stay in the processor's caches.
    """

    def __init__(self, parts: Parts, *, aside: bool) -> None:
        self._parts = parts
        self._aside = aside
        self._letters: dict[Attempt, Letter] = {}
        self._ready: dict[Attempt, Composed | None] = {}
        self._going_on = False

    def take(self, letters: Sequence[Letter]) -> None:
        """Keep letters until their mails are asked for, or they are forgotten."""
        self._letters |= {(one.message.id, one.attempt): one for one in letters}

    def forget(self, attempts: Iterable[Attempt]) -> None:
        """Let go of what will not be asked for any more, with the keys that open it."""
        for one in attempts:
            self._letters.pop(one, None)
            self._ready.pop(one, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._letters.clear()
        self._ready.clear()

    async def mail(self, attempt: Attempt) -> Composed | None:
        """The mail of a letter; None where it has none, for whatever reason. Ask once."""
        if self._aside:
            return await asyncio.to_thread(_compose, self._parts, self._letters.pop(attempt))
        if attempt not in self._ready:
            self._ready[attempt] = _compose(self._parts, self._letters.pop(attempt))
        mail = self._ready.pop(attempt)
        if not self._going_on:
            self._going_on = True
            asyncio.get_running_loop().call_soon(self._go_on)
        return mail

    def _go_on(self) -> None:
        """Compose what will be asked for next, some at a time, until there is enough of it."""
        ends_at = perf_counter() + _AT_ONCE
        while more := bool(self._letters) and len(self._ready) < _AHEAD:
            if perf_counter() > ends_at:
                asyncio.get_running_loop().call_soon(self._go_on)
                break
            one = next(iter(self._letters))
            self._ready[one] = _compose(self._parts, self._letters.pop(one))
        self._going_on = more


def _compose(parts: Parts, letter: Letter) -> Composed | None:
    try:
        return _composed(parts, letter)
    except Exception as error:  # noqa: BLE001 it would end the worker, and be claimed first again
        logs.failed("not_composed", error, message=letter.message.id)
        return None


def _composed(parts: Parts, letter: Letter) -> Composed:
    message, gate, vault = letter.message, letter.gate, letter.vault
    sender = parts.config.senders[message.sender]
    mailbox = personal.open_mailbox(gate, vault)
    place = content.place(message.content, message.kind, message.purpose)
    opened = vault.open(message.subject, Compartment.PROFILE, place, letter.content)
    if mailbox is None or opened is None:
        raise LookupError("the key is gone")
    ways: Mapping[Route, str] = {}
    if letter.handle is not None:
        ways = links.links(message.subject, message.purpose, letter.handle, vault, parts.base)
    header = mime.Header(
        kind=message.kind,
        sender_name=sender.name,
        sender_address=sender.from_address,
        to=mailbox,
        message_id=message_id_header(parts.config, message),
        date=letter.dated_at,
        list_unsubscribe=ways[Route.UNSUBSCRIBE] if message.kind is Kind.MARKETING else None,
        list_id=f"{message.purpose}.{sender.dkim_domain}"
        if message.kind is Kind.MARKETING
        else None,
    )
    mail = mime.compose(header, _render(parts, letter, content.read(opened), ways))
    signature = parts.signers[message.sender].sign(mail.fields, mail.body, letter.dated_at)
    raw = mail.wire([signature])
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return Composed(digest, Envelope(sender.from_address, header.to, raw))


def _render(
    parts: Parts, letter: Letter, said: content.Content, ways: Mapping[Route, str]
) -> mime.Content:
    """The words of the mail; *said* is what the message was accepted with."""
    gate, templates = letter.gate, parts.templates
    locale = gate.locale
    framed = frame(parts.config, letter.message.sender, locale)
    framed["links"] = {str(route): url for route, url in ways.items()}
    framed["consents"] = _named(parts.config, letter.message, locale)
    match said:
        case CallersParts(subject, html, text):
            return templates.inline(subject, html, text, locale=locale, frame=framed)
        case CallersTemplate(template, data):
            data = {"profile": personal.open_profile(gate, letter.vault), **data}
            return templates.render(template, locale, data, framed, footer=True)
        case OurMail(template):
            locale = said.locale or locale
            framed |= {"locale": locale, "consents": said.consents}
            framed["links"] |= said.links
            data = {"profile": personal.open_profile(gate, letter.vault)}
            return templates.render(template, locale, data, framed, footer=False)
        case _:
            assert_never(said)


def _named(config: Config, message: Message, locale: str) -> list[dict[str, str]]:
    """What the recipient of a marketing mail agreed to, by its title."""
    purpose = config.purposes.get(message.purpose)
    if message.kind is not Kind.MARKETING or purpose is None:
        return []
    return [{"title": purpose.title.get(locale) or next(iter(purpose.title.values()))}]


def frame(config: Config, sender: str, locale: str) -> dict[str, Any]:
    """What every mail of a sender may show of the sender."""
    one = config.senders[sender]
    return {
        "locale": locale,
        "sender": {
            "name": one.name,
            "postal_address": config.controller.postal_address,
            "imprint_url": one.imprint_url,
            "privacy_url": one.privacy_url,
            "accent": one.accent,
        },
        "look": looks.mail_look(one.accent, one.band),
        "controller": {
            "name": config.controller.name,
            "postal_address": config.controller.postal_address,
            "contact": config.controller.contact,
        },
    }


def message_id_header(config: Config, message: Message) -> str:
    """The Message-ID without brackets: the same on every try, and nothing but our own id."""
    return f"{message.id.partition('_')[2]}@{config.senders[message.sender].dkim_domain}"
