"""What a message is to say, as it is stored until its mail is composed.

The bytes are those of the first release: messages wait for months, over
upgrades, and where two releases run beside each other, each reads what the
other queued.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from consent.errors import KeyUnusable, SealError
from consent.keys.seal import open_sealed, seal
from consent.keys.vault import Compartment, Vault
from delivery import markup
from delivery.outbox import Message, NewMessage, Stored
from delivery.outcome import Kind
from gateway.flows.errors import ContentError
from gateway.flows.sending import occasion
from gateway.flows.sending.occasion import Occasion
from storage.ids import ordered_id
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Wording:
    """A consent that is asked for, in the words that were published.

    What an earlier release queued does not say who would write under it. Where
    somebody is asked anew, *before* and *before_sender* are what they agreed to. Of what
    was withdrawn there is the title alone, and by *again_url* they are asked again.
    """

    title: str
    text: str
    sender: str | None = None
    imprint_url: str | None = None
    notice_url: str | None = None
    before: str | None = None
    before_sender: str | None = None
    again_url: str | None = None

    def written(self) -> dict[str, str]:
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OurMail:
    """A mail of the gateway's own: a template, and what in it is this mail's alone.

    *only_to*: the canonical address that it was made for, where it must go nowhere else,
    whatever is on file when it is sent.
    """

    template: str
    links: Mapping[str, str] = field(repr=False)
    locale: str | None = None  # none: the recipient's
    consents: Sequence[Wording] = ()
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    only_to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CallersTemplate:
    """A template that a caller chose, with the caller's data.

    *version*: of one of the operator's own, by the hash of what it was then.
    """

    template: str
    data: Mapping[str, Any] = field(repr=False)
    reference: str | None = field(default=None, repr=False)
    version: str | None = None


@dataclass(frozen=True, slots=True)
class CallersParts:
    """Parts that a caller made.

    *whole*: the HTML is a page as `delivery.markup.read` writes it. That of
    messages which an earlier release accepted is what the caller sent.
    """

    subject: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    whole: bool = False

    def page(self) -> str | None:
        """The HTML as a whole page."""
        if self.html is None or self.whole:
            return self.html
        return markup.read(self.html).page


Callers = CallersTemplate | CallersParts
Content = OurMail | Callers


def of_caller(said: Mapping[str, Any], reference: str | None) -> Callers:
    """What a caller handed in, checked for shape: a template with data, or parts."""
    if "template" in said:
        return CallersTemplate(said["template"], said["data"], reference, said.get("version"))
    whole = said.get("whole") is True
    return CallersParts(said["subject"], said.get("html"), said.get("text"), reference, whole)


def write(content: Content) -> bytes:
    """The bytes that `read` reads."""
    document: dict[str, Any]
    match content:
        case OurMail(template, links, locale, consents, data, only_to):
            document = {"template": template, "data": dict(data)}
            document |= {} if locale is None else {"locale": locale}
            document["links"] = dict(links)
            document |= {"consents": [one.written() for one in consents]} if consents else {}
            document |= {} if only_to is None else {"only_to": only_to}
        case CallersTemplate(template, data, reference, version):
            document = {"template": template, "data": data, "reference": reference}
            document |= {} if version is None else {"version": version}
        case CallersParts(subject, html, text, reference, whole):
            parts = {"subject": subject, "html": html, "text": text}
            document = {name: part for name, part in parts.items() if part is not None}
            document["reference"] = reference
            document |= {"whole": True} if whole else {}
    return json.dumps(document, ensure_ascii=False).encode()


def read(raw: bytes) -> Content:
    """Read what `write` wrote, or any release before; raises `ContentError` for anything else."""
    try:
        document = json.loads(raw)
        if "links" not in document:
            return of_caller(document, document.get("reference"))
        asked = document.get("consents", ())
        return OurMail(
            template=document["template"],
            links=document["links"],
            locale=document.get("locale"),
            consents=tuple(_wording(one) for one in asked),
            data=dict(document.get("data", {})),
            only_to=document.get("only_to"),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ContentError from None


def _wording(one: Mapping[str, str]) -> Wording:
    more = ("sender", "imprint_url", "notice_url", "before", "before_sender", "again_url")
    return Wording(one["title"], one["text"], *(one.get(name) for name in more))


def place(content: str, kind: Kind, purpose: str) -> tuple[str, str, str]:
    """What the seal of a content binds it to.

    Kind and purpose decide which permission a mail needs: a row of the queue
    that somebody altered must not send the same words under another one.
    """
    return ("content", "sealed", f"{content}/{kind}/{purpose}")


def opens(message: Message, stored: Stored, vault: Vault, keys: Mapping[str, Secret]) -> bool:
    """Whether what a message says is what was accepted."""
    try:
        return opened(message, stored, vault, keys) is not None
    except (SealError, KeyUnusable):
        return False


_SHARED = "consentgw/content/v1"


def seal_shared(key: Secret, raw: bytes, *bound_to: str) -> bytes:
    """Seal what many messages name, or belongs to their campaign, under a key of its own."""
    return seal(key.reveal(), raw, (_SHARED, *bound_to))


def open_shared(key: Secret, sealed: bytes, *bound_to: str) -> bytes:
    """Raises `SealError` for anything but what `seal_shared` made, bound to the same."""
    return open_sealed(key.reveal(), sealed, (_SHARED, *bound_to))


def opened(
    message: Message, stored: Stored, vault: Vault, keys: Mapping[str, Secret]
) -> bytes | None:
    """What a message says; None where its key is gone. May raise `SealError` and `KeyUnusable`.

    Which of the two kinds of key it needs is what was accepted, not what stands in the content's
    row.
    """
    bound_to = place(message.content, message.kind, message.purpose)
    if message.campaign is None:
        return vault.open(message.subject, Compartment.PROFILE, bound_to, stored.sealed)
    key = keys.get(stored.key or "")
    return None if key is None else open_shared(key, stored.sealed, *bound_to)


def new_message(
    content: Content,
    vault: Vault,
    now: datetime,
    *,
    kind: Kind,
    subject: str,
    purpose: str,
    sender: str,
    id_domain: str,
    due_at: datetime,
    expires_at: datetime,
    origin: str | None = None,
    reference: bytes | None = None,
    why: Occasion | None = None,
) -> NewMessage:
    """A message to enqueue, its content sealed under the recipient's key."""
    content_id = ordered_id("cnt", now)
    bound_to = place(content_id, kind, purpose)
    return NewMessage(
        id=ordered_id("msg", now),
        kind=kind,
        subject=subject,
        purpose=purpose,
        sender=sender,
        id_domain=id_domain,
        content_id=content_id,
        content=vault.seal(subject, Compartment.PROFILE, bound_to, write(content)),
        due_at=due_at,
        expires_at=expires_at,
        origin=origin,
        reference=reference,
        **occasion.columns(why),
    )
