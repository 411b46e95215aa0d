"""What is said of a mail that somebody came with: each answer, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from audit.entry import Batch, Entry
from audit.kinds import Actor, Kind
from audit.within import ItemFound, Placed
from delivery.alterations import Altered, How
from delivery.authorship import NotOurs, Signed, Why
from delivery.outcome import Outcome
from gateway.config import config
from gateway.flows.proving import mail_trail
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.defend import Defended, Reach
from gateway.flows.proving.transmissions import Transmission
from gateway.http import defence_paper, defences
from gateway.http.defence_paper import Handed
from gateway.look.papers import Paper
from tests.support.mails import AT
from tests.unit.test_authorship import judged, sent

HANDED = Handed("0" * 64, AT)


def item(kind: Kind, place: int | None, **facts: object) -> ItemFound:
    batch = Batch(7, bytes(32))
    entry = Entry(b"e" * 16, kind, Actor.SYSTEM, AT, "node", {}, {}, batch)
    return ItemFound(Placed(entry, place), 2, "sub_ada", facts)


def ours(*outcomes: str | None, place: int | None = 41, **more: object) -> Defended:
    signed = judged(sent())
    assert isinstance(signed, Signed)
    ground = {"kind": "consent", "id": "con_1"}
    permit = item(Kind.PERMIT_BATCH, place, message="msg_1", purpose="newsletter", ground=ground)
    ends = [
        None if one is None else item(Kind.DELIVERY_BATCH, 42, outcome=one, code=450)
        for one in outcomes
    ]
    found = Defended(
        signed,
        "def_1",
        AT,
        Reach.WHOLE,
        "msg_1",
        "sub_ada",
        [Transmission(permit, e) for e in ends],
    )
    return replace(found, **more)  # type: ignore[arg-type]


def said(found: Defended | NotOurs, tmp_path: Path, locale: str = "en") -> str:
    loaded = config.parse(config.embedded_default(), base=tmp_path)
    paper = defence_paper.paper(found, HANDED, loaded, locale)
    assert paper.to_json(), "it can be set"
    return str(paper.document())


@pytest.mark.parametrize("why", list(Why))
def test_each_reason_is_said_in_both_languages_and_names_nobody(why: Why, tmp_path: Path) -> None:
    found = NotOurs(why, ("acme.example",), "s2026a")

    english, german = said(found, tmp_path), said(found, tmp_path, "de")

    (sentence,) = defences.meaning(found, "en")
    assert sentence in english
    assert sentence not in german
    assert "Nobody's data was looked at" in english
    assert "acme.example" in german


@pytest.mark.parametrize(
    ("altered", "parts"),
    [
        (Altered(How.APPENDED, (), True), ["lines follow it", "The header is as we signed it."]),
        (Altered(How.WRAPPED, ("content-type",), True), ["wrap a mail", "valid: content-type"]),
        (Altered(How.RECODED, (), True), ["another encoding"]),
        (Altered(How.CHANGED, ("to",), False), ["another than we signed", "signed: to."]),
        (Altered(None, (), False), ["which one cannot be proven"]),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_was_done_to_a_mail_is_said_as_far_as_it_is_proven(
    altered: Altered, parts: list[str], tmp_path: Path
) -> None:
    text = said(NotOurs(Why.ALTERED, ("acme.example",), "s2026a", altered), tmp_path)

    assert all(part in text for part in parts)
    assert "Not as we signed it" in text


@pytest.mark.parametrize(
    ("outcome", "part"),
    [
        (Outcome.SENT, "accepted it (450)"),
        (Outcome.DEFERRED, "took it later, or not at all"),
        (Outcome.UNCERTAIN, "broke off before the answer"),
        (Outcome.BOUNCED, "refused it"),
        ("aborted", "It was not handed over"),
        (None, "the log has no outcome of this try"),
    ],
)
def test_what_became_of_each_try_is_said(outcome: str | None, part: str, tmp_path: Path) -> None:
    assert part in said(ours(outcome), tmp_path)


@pytest.mark.parametrize("reach", list(Reach))
def test_how_far_it_reaches_is_said(reach: Reach, tmp_path: Path) -> None:
    found = ours("sent", reach=reach)

    (sentence,) = defences.meaning(found, "en")

    assert sentence in said(found, tmp_path)


def test_the_paper_names_the_place_in_the_log_and_where_it_went(tmp_path: Path) -> None:
    placed = said(ours("sent", as_it_was_sent=True), tmp_path)
    staged = said(ours("sent", place=None), tmp_path)

    assert "Entry 41 of log 1, item 3 of 7" in placed
    assert "it is this one" in placed
    assert "Waits for its place, 3/7" in staged
    assert "s2026a._domainkey.acme.example" in placed
    assert f"{AT:%Y-%m-%d %H:%M:%S} UTC" in placed


def test_tries_are_in_their_order_and_the_newest_permit_counts(tmp_path: Path) -> None:
    first = ours("deferred", "sent")
    later = replace(first.sent[1].permit.of.entry, at=AT + timedelta(hours=1))
    second = replace(first.sent[1].permit, of=Placed(later, 50))
    found = replace(first, sent=[first.sent[0], replace(first.sent[1], permit=second)])

    assert "Entry 50 of log 1" in said(found, tmp_path)


def test_a_mail_that_went_elsewhere_than_its_consent_says_is_told_so(tmp_path: Path) -> None:
    found = ours("sent")

    def names(address: str) -> ConsentEvidence:
        facts = SimpleNamespace(facts=lambda: {"address": address})
        step = SimpleNamespace(said=facts)
        return cast(ConsentEvidence, SimpleNamespace(steps=[step], corrections=[]))

    assert mail_trail.went_to(found.signed, names("ada@example.org")) is True
    assert mail_trail.went_to(found.signed, names("eve@example.org")) is False
    assert mail_trail.went_to(found.signed, None) is None
    with_consent = replace(found, to_its_address=False)
    writer = defence_paper._Writer(config.parse(config.embedded_default(), base=tmp_path), "en")
    (block,) = writer._address(with_consent.to_its_address)
    assert "did not go to" in Paper("", "en", "", "", [block]).to_json().decode()
