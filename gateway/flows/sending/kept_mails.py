"""The mails that ask for a consent are kept so that each can be made again, to the byte.

What all of a kind share becomes a specimen, which is nobody's; what is one recipient's
goes sealed with the mail's outcome into the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from consent import specimens
from consent.keys.vault import Compartment, Vault
from consent.mail_evidence import MadeOf, Session
from delivery import remaking
from delivery.desk import Kept
from delivery.mime import Mail
from delivery.outbox import Message
from delivery.transmission import Peer
from gateway.flows.sending import occasion
from gateway.flows.sending.content import Content, OurMail
from gateway.flows.sending.occasion import ToConfirm

_BOUNDARY: Final = re.compile('boundary="([^"]+)"')


def kept(
    message: Message, said: Content, mail: Mail, signature: bytes, vault: Vault
) -> Kept | None:
    """What a mail that asks is made again from; None for others, whose hash is enough."""
    if not isinstance(occasion.of(message), ToConfirm) or not isinstance(said, OurMail):
        return None
    tokens = {name: url.rpartition("/")[2] for name, url in said.links.items()}
    values = {"signature": signature.decode("ascii"), **_of_fields(mail), **tokens}
    apart = remaking.taken_apart(mail.wire([signature]), values)
    written = json.dumps(dict(apart.values)).encode()
    place = _place(message.id)
    sealed = vault.seal(message.subject, Compartment.EVIDENCE, place, written)
    return Kept(apart.specimen, sealed)


def made_of(message: Message, found: Kept, vault: Vault) -> MadeOf | None:
    """The same for the log; None where the key is gone."""
    place = _place(message.id)
    opened = vault.open(message.subject, Compartment.EVIDENCE, place, found.values)
    if opened is None:
        return None
    return MadeOf(specimens.name_of(found.specimen), json.loads(opened))


def session(peer: Peer) -> Session:
    """With whom the dialogue was, for the log."""
    tls = peer.secured
    if tls is None:
        return Session(peer.host, peer.port)
    how = (tls.version, tls.cipher, tls.certificate, tls.fingerprint)
    return Session(peer.host, peer.port, *how)


def _of_fields(mail: Mail) -> Mapping[str, str]:
    """What in the header is this mail's alone."""
    lines = {name: raw.decode("ascii").partition(": ")[2][:-2] for name, raw in mail.fields}
    boundary = _BOUNDARY.search(lines[b"Content-Type"])
    return {
        "to": lines[b"To"],
        "date": lines[b"Date"],
        "message_id": lines[b"Message-ID"].strip("<>"),
        "boundary": boundary[1] if boundary else "",
    }


def _place(message: str) -> tuple[str, str, str]:
    # Of no table: it is on its way from the worker into the log, and in memory alone.
    return ("mail", "values", message)
