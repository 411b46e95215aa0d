"""Whether a mail about an address goes, and what pressing its link does, from facts alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from consent.model import Granted, Reason, Refused, SubjectState, Unneeded
from consent.moving import Became, Towards, Whose, mail_wanted, press
from consent.policy import Facts
from tests.support.clock import START

NOBODYS = Whose()


@dataclass(frozen=True)
class Link:
    id: str = "adr_1"
    kind: Towards = Towards.NEW
    created_at: datetime = START
    expires_at: datetime = START + timedelta(hours=1)
    spent_at: datetime | None = None


FACTS = Facts(SubjectState.LIVE, False, False, None, ())
GONE = replace(FACTS, subject_state=SubjectState.ERASING)
BOUNCED = replace(FACTS, suppressed=Reason.SUPPRESSED_BOUNCE)
BLOCKED = replace(FACTS, asking_blocked_at=START)
STOPPED = replace(FACTS, restricted=True, objected=True)
OLD = Link(kind=Towards.OLD)


@pytest.mark.parametrize(
    ("facts", "link", "wanted"),
    [
        pytest.param(FACTS, Link(), Granted, id="to the new one"),
        pytest.param(STOPPED, OLD, Granted, id="told in spite of an objection"),
        pytest.param(BLOCKED, OLD, Granted, id="told in spite of a block"),
        pytest.param(BLOCKED, Link(), Unneeded, id="no question after a block"),
        pytest.param(BOUNCED, Link(), Granted, id="the new one did not bounce"),
        pytest.param(BOUNCED, OLD, Refused, id="the one on file did"),
        pytest.param(GONE, OLD, Refused, id="nobody is here"),
        pytest.param(replace(FACTS, honest=False), OLD, Refused, id="an altered row"),
        pytest.param(FACTS, None, Unneeded, id="no row"),
        pytest.param(FACTS, Link(spent_at=START), Unneeded, id="spent"),
        pytest.param(FACTS, Link(expires_at=START), Unneeded, id="outdone"),
    ],
)
def test_a_mail_about_an_address_goes_while_its_link_can_be_used(
    facts: Facts, link: Link | None, wanted: type
) -> None:
    assert isinstance(mail_wanted(facts, link, START), wanted)


@pytest.mark.parametrize(
    ("towards", "whose", "became"),
    [
        (Towards.NEW, NOBODYS, Became.MOVED),
        (Towards.NEW, Whose(themselves=True, closed=True), Became.MOVED),
        (Towards.NEW, Whose(others=True), Became.TAKEN),
        (Towards.NEW, Whose(others=True, spare=True), Became.TAKEN),
        (Towards.NEW, Whose(closed=True), Became.TAKEN),
        (Towards.OLD, Whose(themselves=True), Became.KEPT),
        (Towards.OLD, NOBODYS, Became.BACK),
        (Towards.OLD, Whose(closed=True), Became.BACK),
        (Towards.OLD, Whose(others=True, spare=True), Became.BACK),
        (Towards.OLD, Whose(others=True), Became.TAKEN),
        (Towards.TOLD, NOBODYS, Became.OVER),
    ],
)
def test_pressing_moves_to_nobody_elses_address(
    towards: Towards, whose: Whose, became: Became
) -> None:
    assert press(towards, whose) is became
