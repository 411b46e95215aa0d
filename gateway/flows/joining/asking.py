"""The mails that ask a person to confirm, and those that ask anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from consent import tokens
from consent.consents import Consent
from consent.keys.vault import Vault
from consent.links import Confirmation
from consent.texts import Text
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.flows.sending.content import OurMail, Wording, new_message
from gateway.flows.sending.occasion import ToConfirm


def confirmation(
    config: Config,
    locale: str,
    asked: Sequence[Consent],
    texts: Mapping[str, Text],
    vault: Vault,
    now: datetime,
    due_at: datetime,
    stop: str,
    *,
    by_form: bool,
) -> tuple[Confirmation, NewMessage]:
    """A new token for *asked* and the mail that carries it, beside the one that stops such mails.

    Where it was not *by_form* that they were asked for, it was by a link in one of our mails, and
    the mail says so. Nothing that the form was given goes into the mail but the language:
    otherwise a stranger could choose its words.
    """
    base, sender = config.server.public_url, config.purposes[asked[0].purpose].sender
    shown = [_shown(texts[consent.text_hash], base) for consent in asked]
    template = "confirmation" if by_form else "asked_again"
    sheet = _Sheet(template, locale, shown, sender)
    return _mail(config, sheet, asked, vault, now, due_at, stop)


@dataclass(frozen=True, slots=True)
class Replacing:
    """What is asked for now, in the place of what was agreed to; and as whom it is asked."""

    text: Text
    before: Text
    sender: str


def asking_anew(
    config: Config,
    asked: Consent,
    replacing: Replacing,
    vault: Vault,
    now: datetime,
    due_at: datetime,
    stop: str,
) -> tuple[Confirmation, NewMessage]:
    """As `confirmation`, for what the operator asks; it also says what was agreed to before."""
    before = replacing.before.bundle
    shown = replace(
        _shown(replacing.text, config.server.public_url),
        before=before["text"],
        before_sender=f"{before['sender']['name']} ({before['controller']['name']})",
    )
    sheet = _Sheet("re_permission", asked.locale, [shown], replacing.sender, anew=True)
    return _mail(config, sheet, [asked], vault, now, due_at, stop)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What one of these mails is, whatever its links."""

    template: str
    locale: str
    wordings: Sequence[Wording]
    sender: str
    anew: bool = False


def _mail(
    config: Config,
    sheet: _Sheet,
    asked: Sequence[Consent],
    vault: Vault,
    now: datetime,
    due_at: datetime,
    stop: str,
) -> tuple[Confirmation, NewMessage]:
    token, token_hash = tokens.new_link_token()
    subject, base = asked[0].subject, config.server.public_url
    # Each consent has its own end; a link that ended earlier would keep one from being confirmed.
    expires_at = max(consent.lapses_at for consent in asked)
    mail = OurMail(
        sheet.template,
        links={"confirm": f"{base}/confirm/{token}", "stop": f"{base}/stop/{stop}"},
        locale=sheet.locale,
        consents=sheet.wordings,
    )
    message = new_message(
        mail,
        vault,
        now,
        kind=MailKind.SERVICE,
        subject=subject,
        purpose=asked[0].purpose,
        sender=sheet.sender,
        id_domain=config.senders[sheet.sender].dkim_domain,
        due_at=due_at,
        expires_at=expires_at,
        why=ToConfirm(token_hash, sheet.anew),
    )
    named = tuple(consent.id for consent in asked)
    return Confirmation(token_hash, subject, expires_at, named), message


def _shown(text: Text, base: str) -> Wording:
    """What is asked and who would write, as it was published."""
    bundle = text.bundle
    return Wording(
        bundle["title"],
        bundle["text"],
        bundle["sender"]["name"],
        bundle["imprint_url"],
        f"{base}/notices/{bundle['notice']}",
    )
