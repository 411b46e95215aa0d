"""What becomes of messages whose worker is gone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.attempts import ABORTED
from delivery.changing import Change
from delivery.journal import Mark
from delivery.outbox import Message, Status
from delivery.outcome import Kind
from delivery.schedule import begin_again, next_due


@dataclass(frozen=True, slots=True)
class Recovery:
    """What to write about messages whose worker is gone."""

    changes: Sequence[Change]
    lapsed: Sequence[tuple[str, int]]  # MAIL may have been written, the dot was not
    ended: Mapping[tuple[str, int], str]  # attempts and their outcome


def recover(
    held: Sequence[Message],
    spent: set[tuple[str, int]],
    marks: Mapping[tuple[str, int], Mark],
    *,
    journal_complete: bool,
    now: datetime,
) -> Recovery:
    """Decide from the permit and the journal how far each transmission came.

    A permit is spent before the final dot, so without that, and without a line
    that says otherwise (the database may be an older one, restored), no mail
    left. A journal is complete when nothing of it can be missing: then no line
    means no dot either. Otherwise a spent permit may have become a
    mail, and only service mail is sent again. A few crashes cost a message no
    time: it may just have waited its turn in the hand of who died; one that
    keeps killing its worker is due ever later. A second try of what may have
    arrived waits, for the first worker may not be dead but slow, and its server
    still storing.
    """
    changes: list[Change] = []
    lapsed: list[tuple[str, int]] = []
    ended: dict[tuple[str, int], str] = {}
    for message in held:
        key = (message.id, message.attempt)
        mark = marks.get(key)
        again = now if message.tries == 0 else next_due(message.tries, now, message.id)
        again = min(again, message.expires_at)
        if mark is not None and mark.accepted:
            changes.append(Change(message.id, Status.SENT, tried=True))
            ended[key] = Status.SENT
        elif mark is None and key not in spent:
            unbegun = begin_again(message.attempt - message.tries, now)
            due_at = min(unbegun, message.expires_at)
            changes.append(Change(message.id, Status.QUEUED, due_at=due_at))
            lapsed.append(key)
            ended[key] = ABORTED
        elif (mark is None and journal_complete) or (mark is not None and mark.refused):
            changes.append(Change(message.id, Status.QUEUED, due_at=again, tried=True))
            ended[key] = ABORTED
        elif message.kind is Kind.SERVICE:
            later = next_due(message.tries + 1, now, message.id, in_doubt=True)
            later = min(later, message.expires_at)
            changes.append(
                Change(message.id, Status.DEFERRED, "connection_lost", later, tried=True)
            )
            ended[key] = Status.UNCERTAIN
        else:
            changes.append(Change(message.id, Status.UNCERTAIN, "connection_lost", tried=True))
            ended[key] = Status.UNCERTAIN
    return Recovery(changes, lapsed, ended)
