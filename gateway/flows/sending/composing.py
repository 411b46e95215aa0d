"""From a permitted letter to signed bytes, without I/O."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, assert_never

from consent import address, answers, links, personal
from consent.links import Route
from delivery import dkim, mime
from delivery.desk import Composed, Parcel
from delivery.dkim import Signer
from delivery.errors import VersionAway
from delivery.outbox import Message
from delivery.outcome import Kind
from delivery.plain_text import plain_text
from delivery.press import Press
from delivery.template_source import NoSource
from delivery.templates import Templates
from delivery.transmission import Envelope
from gateway.config.config import Config
from gateway.flows.sending import content, kept_mails, occasion
from gateway.flows.sending.content import CallersParts, CallersTemplate, OurMail
from gateway.flows.sending.letters import Letter, Sealed
from gateway.flows.sending.occasion import ToConfirm
from gateway.look import looks
from gateway.watch import logs
from storage.clock import elapsed

_AHEAD = 40  # mails; more than the usual twenty connections ask for at once
_LOOK_AFTER = 10  # mails taken; nearly all that would be looked at sooner is composed already
_AT_ONCE = 5  # mails; what the relay says meanwhile waits
_FOR_LONG = 0.05  # seconds; of large pages no five are composed at once


@dataclass(frozen=True, slots=True)
class Tools:
    """What every mail is composed with."""

    config: Config
    press: Press
    signers: Mapping[str, Signer]

    @property
    def base(self) -> str:
        """What links in mails begin with."""
        return self.config.server.public_url


def equip(config: Config, templates: Templates, signers: Mapping[str, Signer]) -> Tools:
    """With a press of one's own, whose marks nobody else knows."""
    return Tools(config, Press(templates, secrets.token_hex(16)), signers)


_Work = Callable[[Sealed], Composed | None]
Fetch = Callable[[str], Awaitable[bytes | None]]  # what a version of a template was written as


class Composer:
    """Composes and signs permitted letters as they are asked for.

    A version of a template that no mail of this process was made of yet is fetched first.

    With *aside* in a thread: where the same loop answers strangers it must be,
    for signing would delay the next answer. Elsewhere a thread only fights for
    the interpreter; there the next letters are composed while connections wait
    for replies and for their permits to be spent, some at a time: each costs
    half as much while code and templates stay in the processor's caches.
    """

    def __init__(self, tools: Tools, fetch: Fetch, *, aside: bool) -> None:
        self._compose = partial(_compose, tools)
        self._templates = tools.press.templates
        self._fetch = fetch
        self._aside = aside
        self._going_on = False
        self._taken = 0  # since the last look ahead

    async def mail(self, letter: Letter, following: Iterable[Parcel[Letter]]) -> Composed | None:
        """The mail of a letter; None where it has none, for whatever reason. Ask once.

        *following* is what will be asked for next, in order, whenever it is looked at.
        Raises what fetching does; then nothing of the mail was begun.
        """
        if self._aside:
            beside = partial(asyncio.to_thread, letter.compose, self._compose)
            await self._with_version(letter, beside)
            return letter.take()
        self._taken += 1
        if letter.is_sealed:
            await self._with_version(letter, partial(_here, letter.compose, self._compose))
            self._taken = _LOOK_AFTER
        if self._taken >= _LOOK_AFTER and not self._going_on:
            self._taken, self._going_on = 0, True
            asyncio.get_running_loop().call_soon(self._go_on, following)
        return letter.take()

    async def _with_version(self, letter: Letter, compose: Callable[[], Awaitable[None]]) -> None:
        """Compose, if need be again once the version that was lacking is here."""
        try:
            await compose()
        except VersionAway as away:
            raw = await self._fetch(away.version)
            try:
                self._templates.take(raw or b"")
                await compose()
            except (NoSource, VersionAway) as gone:
                logs.failed("not_composed", gone)
                letter.give_up()

    def _go_on(self, following: Iterable[Parcel[Letter]]) -> None:
        """Compose what will be asked for next, some at a time, until there is enough of it."""
        made, until = 0, elapsed() + _FOR_LONG
        for parcel in islice(following, _AHEAD):
            if not parcel.letter.is_sealed:
                continue
            if made == _AT_ONCE or (made and elapsed() > until):
                asyncio.get_running_loop().call_soon(self._go_on, following)
                return
            with suppress(VersionAway):  # fetched once it is its turn
                parcel.letter.compose(self._compose)
                made += 1
        self._going_on = False


async def _here(work: Callable[[_Work], None], what: _Work) -> None:
    work(what)


def _compose(tools: Tools, sealed: Sealed) -> Composed | None:
    try:
        return _composed(tools, sealed)
    except VersionAway:
        raise
    except Exception as error:  # noqa: BLE001 it would end the worker, and be claimed first again
        logs.failed("not_composed", error, message=sealed.message.id)
        return None


def _composed(tools: Tools, sealed: Sealed) -> Composed:
    message, vault = sealed.message, sealed.vault
    sender = tools.config.senders[message.sender]
    mailbox = _mailbox(sealed)
    opened = content.opened(message, sealed.content, vault, sealed.keys)
    if mailbox is None or opened is None:
        raise LookupError("the key is gone")
    ways: Mapping[Route, str] = {}
    if sealed.handle is not None:
        ways = links.links(message.subject, message.purpose, sealed.handle, vault, tools.base)
    header = mime.Header(
        kind=message.kind,
        sender_name=sender.name,
        sender_address=sender.from_address,
        to=mailbox,
        message_id=_message_id(message, message.id_domain or sender.dkim_domain),
        date=sealed.dated_at,
        list_unsubscribe=ways[Route.UNSUBSCRIBE] if message.kind is Kind.MARKETING else None,
        list_id=f"{message.purpose}.{sender.dkim_domain}"
        if message.kind is Kind.MARKETING
        else None,
        feedback_id=_feedback_id(message),
    )
    said = content.read(opened)
    if not _may_go(said, mailbox):
        raise LookupError("another mailbox is on file than the one that it was made for")
    mail = mime.compose(header, _render(tools, sealed, said, ways))
    signer = tools.signers[message.sender]
    signature = signer.sign_hashed(mail.fields, mail.body_hash, sealed.dated_at)
    raw = mail.wire([signature])
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    envelope = Envelope(sender.from_address, header.to, raw)
    kept = kept_mails.kept(message, said, mail, signature, vault)
    return Composed(digest, envelope, kept, dkim.name_of(signature))


def _feedback_id(message: Message) -> str | None:
    """What a mailbox provider counts complaints by: no person, nor one message, in it."""
    if message.campaign is None:
        return None
    return f"{message.campaign}:{message.purpose}:campaign:{message.sender}"


def _mailbox(sealed: Sealed) -> str | None:
    """Where the mail goes: to the person's mailbox, unless it is about another one of theirs."""
    if sealed.to is None:
        return personal.open_mailbox(sealed.gate, sealed.vault)
    email = sealed.to.opened(sealed.vault)
    return None if email is None else email.mailbox


def _may_go(said: content.Content, mailbox: str) -> bool:
    """Whether it goes where it was made for: the row of a person may be another one by now."""
    if not isinstance(said, OurMail) or said.only_to is None:
        return True
    return address.recognised(mailbox) == said.only_to


def _render(
    tools: Tools, sealed: Sealed, said: content.Content, ways: Mapping[Route, str]
) -> mime.Content | mime.Printed:
    """The words of the mail; *said* is what the message was accepted with."""
    gate, press = sealed.gate, tools.press
    locale = gate.locale
    framed = frame(tools.config, sealed.message.sender, locale)
    framed["links"] = {str(route): url for route, url in ways.items()}
    framed["consents"] = _named(tools.config, sealed.message, locale)
    match said:
        case CallersParts(subject, _, text):
            page = said.page()
            text = plain_text(page or "") if text is None else text
            parts = mime.Content(subject, text, page)
            is_shared = sealed.message.campaign is not None
            return press.inline(parts, locale=locale, frame=framed, is_shared=is_shared)
        case CallersTemplate(template, data, version=version):
            data = {"profile": _profile(sealed), **data}
            return press.template(template, locale, data, framed, version=version)
        case OurMail(template):
            locale = said.locale or locale
            framed |= {"locale": locale, "consents": said.consents}
            framed["links"] |= said.links
            asks = isinstance(occasion.of(sealed.message), ToConfirm)
            # Of who asked nothing goes into what may be kept for all who get the same mail.
            values = {**({} if asks else {"profile": _profile(sealed)}), **said.data}
            return press.templates.render(template, locale, values, framed, footer=False)
        case _:
            assert_never(said)


def _profile(sealed: Sealed) -> dict[str, str]:
    return answers.in_a_line(personal.open_profile(sealed.gate, sealed.vault))


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


def message_id_header(message: Message) -> str | None:
    """The Message-ID without brackets: the same on every try, and nothing but our own id.

    What it was accepted with, whatever the configuration says by now. None where
    that is not known (`delivery.outbox.Message`).
    """
    return None if message.id_domain is None else _message_id(message, message.id_domain)


def _message_id(message: Message, domain: str) -> str:
    return f"{message.id.partition('_')[2]}@{domain}"
