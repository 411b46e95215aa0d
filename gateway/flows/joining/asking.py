"""The mail that asks a person to confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
) -> tuple[Confirmation, NewMessage]:
    """A new token for *asked* and the mail that carries it, beside the one that stops such mails.

    Nothing that the form was given goes into the mail but the language:
    otherwise a stranger could choose its words.
    """
    token, token_hash = tokens.new_link_token()
    subject, purpose = asked[0].subject, asked[0].purpose
    base = config.server.public_url
    # Each consent has its own end; a link that ended earlier would keep one from being confirmed.
    expires_at = max(consent.lapses_at for consent in asked)
    mail = OurMail(
        "confirmation",
        links={"confirm": f"{base}/confirm/{token}", "stop": f"{base}/stop/{stop}"},
        locale=locale,
        consents=[_shown(consent, texts, base) for consent in asked],
    )
    message = new_message(
        mail,
        vault,
        now,
        kind=MailKind.SERVICE,
        subject=subject,
        purpose=purpose,
        sender=config.purposes[purpose].sender,
        id_domain=config.sender_of(purpose).dkim_domain,
        due_at=due_at,
        expires_at=expires_at,
        why=ToConfirm(token_hash),
    )
    named = tuple(consent.id for consent in asked)
    return Confirmation(token_hash, subject, expires_at, named), message


def _shown(consent: Consent, texts: Mapping[str, Text], base: str) -> Wording:
    """What was asked and who would write, as it was published."""
    bundle = texts[consent.text_hash].bundle
    return Wording(
        bundle["title"],
        bundle["text"],
        bundle["sender"]["name"],
        bundle["imprint_url"],
        f"{base}/notices/{bundle['notice']}",
    )
