"""A person's messages as they may be told of them: what each was, and the ground that allowed it.

Rows tell of it while they are kept; the log, of some, for longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from audit.kinds import Kind as EventKind
from audit.trail import Told
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.moving import ASKING
from delivery import past as past_rows
from delivery.outbox import Message, Status, Stored
from delivery.outcome import Kind
from delivery.past import Past, Use
from gateway.flows.errors import ContentError
from gateway.flows.sending import content
from gateway.flows.sending.content import CallersParts, CallersTemplate, OurMail
from storage.database import Database
from storage.secret import Secret

MOST_CONTENT: Final = 16 * 1024 * 1024  # bytes of what mails say, in one dossier


@dataclass(frozen=True, slots=True)
class Ground:
    """What allowed one transmission, and what came of that."""

    kind: str
    id: str
    decided_at: datetime
    spent_at: datetime | None = None
    outcome: str | None = None
    code: int | None = None
    reply: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One message; *says* is what it says, None where that is not kept any more, or was left out.

    Of one that only the log tells of, nobody knows the sender.
    """

    id: str
    kind: Kind | None
    purpose: str
    sender: str | None
    status: str
    reason: str | None
    at: datetime
    ended_at: datetime | None
    grounds: Sequence[Ground]
    says: Mapping[str, Any] | None = field(default=None, repr=False)
    left_out: bool = False

    @property
    def subject_line(self) -> str | None:
        line = None if self.says is None else self.says.get("subject")
        return line if isinstance(line, str) else None


class Opener:
    """Opens the messages of one person, and what they say up to a bound; to be used aside."""

    def __init__(self, vault: Vault, most: int = MOST_CONTENT, *, replies: bool = False) -> None:
        """With *replies*, what servers answered is opened, too."""
        self._vault = vault
        self._replies = replies
        self._left = most

    def opened(
        self,
        page: Iterable[Past],
        contents: Mapping[str, Stored],
        keys: Mapping[str, Secret],
    ) -> list[Mail]:
        """With *keys* of what is said to many at once."""
        return [self._mail(one, contents.get(one.message.content), keys) for one in page]

    def _mail(self, past: Past, stored: Stored | None, keys: Mapping[str, Secret]) -> Mail:
        message, sealed = past.message, None if stored is None else stored.sealed
        fits = sealed is not None and len(sealed) <= self._left
        self._left -= len(sealed) if sealed is not None and fits else 0
        return Mail(
            id=message.id,
            kind=message.kind,
            purpose=message.purpose,
            sender=message.sender,
            status=message.status,
            reason=message.reason,
            at=message.created_at,
            ended_at=past.ended_at,
            grounds=[self._ground(message, use) for use in past.uses],
            says=self._says(message, stored, keys) if stored is not None and fits else None,
            left_out=sealed is not None and not fits,
        )

    def _ground(self, message: Message, use: Use) -> Ground:
        place = ("attempt", "reply", f"{message.id}/{use.n}")
        sealed = use.reply if self._replies else None
        reply = self._open(message, Compartment.EVIDENCE, place, sealed)
        return Ground(
            kind=use.ground_kind,
            id=use.ground_id,
            decided_at=use.decided_at,
            spent_at=use.spent_at,
            outcome=use.outcome,
            code=use.code,
            reply=None if reply is None else reply.decode(errors="replace"),
        )

    def _says(
        self, message: Message, stored: Stored, keys: Mapping[str, Secret]
    ) -> dict[str, Any] | None:
        try:
            raw = content.opened(message, stored, self._vault, keys)
            return None if raw is None else _shown(raw)
        except (ValueError, ContentError):
            return None

    def _open(
        self,
        message: Message,
        compartment: Compartment,
        place: tuple[str, str, str],
        sealed: bytes | None,
    ) -> bytes | None:
        """What does not open is not shown: a verification names it."""
        if sealed is None:
            return None
        try:
            return self._vault.open(message.subject, compartment, place, sealed)
        except ValueError:
            return None


async def newest(
    data: Database, keystore: KeyStore, subject: str, most: int
) -> tuple[list[Mail], int]:
    """The newest messages without what they say, and how many there are in all."""
    vault = await keystore.vault([subject])
    async with data.snapshot() as connection:
        ids = await past_rows.newest(connection, subject, most, ASKING)
        found = await past_rows.read(connection, ids)
        count = await past_rows.count(connection, subject, ASKING)
    return Opener(vault).opened(found, {}, {}), count


def _shown(raw: bytes) -> dict[str, Any]:
    """What a mail says, without the links in it that open or end something."""
    match content.read(raw):
        case OurMail(template=template):
            return {"template": template}
        case CallersTemplate(template=template, data=data):
            return {"template": template, "data": dict(data)}
        case CallersParts(subject=subject, html=html, text=text):
            return {"subject": subject, "html": html, "text": text}


def told_alone(events: Iterable[Told], known: Collection[str]) -> list[Mail]:
    """The messages that only the log tells of any more: their rows went by their own term."""
    told: dict[str, list[Told]] = {}
    for event in events:
        message = event.facts.get("message")
        if event.kind in _OF_MAILS and isinstance(message, str) and message not in known:
            told.setdefault(message, []).append(event)
    return [_of_log(message, sorted(some, key=_at)) for message, some in told.items()]


_OF_MAILS: Final = (EventKind.PERMIT_BATCH, EventKind.DELIVERY_BATCH)


def _at(event: Told) -> datetime:
    return event.entry.at


def _of_log(message: str, told: Sequence[Told]) -> Mail:
    ends = [str(one.facts["outcome"]) for one in told if "outcome" in one.facts]
    refused = [one.facts["reason"] for one in told if one.facts.get("reason") is not None]
    return Mail(
        id=message,
        kind=None,
        purpose=next((str(one.facts["purpose"]) for one in told if "purpose" in one.facts), ""),
        sender=None,
        status=str(Status.REFUSED) if refused else (ends or [str(Status.UNCERTAIN)])[-1],
        reason=refused[-1] if refused else None,
        at=told[0].entry.at,
        ended_at=told[-1].entry.at,
        grounds=list(_grounds(told)),
    )


def _grounds(told: Sequence[Told]) -> Iterator[Ground]:
    ends = {one.facts.get("attempt"): one.facts for one in told if "outcome" in one.facts}
    for one in told:
        ground = one.facts.get("ground")
        if isinstance(ground, dict):
            end = ends.get(one.facts.get("attempt"), {})
            kind, named = str(ground.get("kind")), str(ground.get("id"))
            outcome, code = end.get("outcome"), end.get("code")
            yield Ground(kind, named, one.entry.at, outcome=outcome, code=code)
