"""What proves somebody's consents, as whoever answers for the data is shown it, for a case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from audit.kinds import Kind
from consent.mail_evidence import without_links
from consent.model import Evidence, State
from consent.texts import PublishedNotice, Text
from gateway.flows.rights.locked_evidence import ConsentProof, Opening, PersonProof, Step
from gateway.http.models import Answer
from storage.ids import named


class StepView(Answer):
    """One event of the audit log, with what it says of the person: `docs/formats/audit-log.md`."""

    event_id: str
    kind: Kind
    at: datetime
    facts: dict[str, Any]


class WordingView(Answer):
    """What was shown, as its hash names it; the notice by its hash."""

    hash: str
    locale: str
    bundle: dict[str, Any]
    published_at: datetime


class ConsentProofView(Answer):
    """One consent. `fits`: the log vouches for its row. `text` is missing where it was altered.

    `contested`: whoever confirmed may not have asked, so what the request said is left out.
    """

    consent_id: str
    purpose: str
    state: State
    evidence: Evidence
    requested_at: datetime
    decided_at: datetime | None = None
    fits: bool
    contested: bool
    text: WordingView | None = None
    steps: list[StepView]


class PersonProofView(Answer):
    """What stays of one person. `whole`: the log lacks no event of theirs.

    `corrections` say since when another address was theirs.
    """

    subject_id: str
    locked_until: datetime | None = None
    whole: bool
    consents: list[ConsentProofView]
    corrections: list[StepView]


class NoticeView(Answer):
    """A privacy notice that a wording names."""

    hash: str
    locale: str
    text: str
    published_at: datetime


def people(opening: Opening) -> list[PersonProofView]:
    return [_person(one) for one in opening.people]


def notices(opening: Opening) -> list[NoticeView]:
    return [_notice(one) for one in opening.notices]


def _person(one: PersonProof) -> PersonProofView:
    return PersonProofView(
        subject_id=one.subject,
        locked_until=one.locked_until,
        whole=one.whole,
        consents=[_consent(proof) for proof in one.consents],
        corrections=_steps(one.corrections),
    )


def _consent(proof: ConsentProof) -> ConsentProofView:
    consent = proof.consent
    return ConsentProofView(
        consent_id=consent.id,
        purpose=consent.purpose,
        state=consent.state,
        evidence=consent.evidence,
        requested_at=consent.requested_at,
        decided_at=consent.decided_at,
        fits=proof.fits,
        contested=proof.contested,
        text=None if proof.text is None else _wording(proof.text),
        steps=_steps(proof.steps),
    )


def _wording(text: Text) -> WordingView:
    return WordingView(
        hash=text.hash,
        locale=text.locale,
        bundle=dict(text.bundle),
        published_at=text.published_at,
    )


def _steps(steps: Sequence[Step]) -> list[StepView]:
    return [
        StepView(
            event_id=named("evt", one.eid),
            kind=one.kind,
            at=one.at,
            facts=without_links(one.said.facts()),
        )
        for one in steps
    ]


def _notice(notice: PublishedNotice) -> NoticeView:
    return NoticeView(
        hash=notice.hash,
        locale=notice.locale,
        text=notice.body.decode(errors="replace"),
        published_at=notice.published_at,
    )
