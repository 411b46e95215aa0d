"""What proves a consent, of values alone: what is unknown is named, and so is what does not fit."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from audit import entry
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent.consents import Consent
from consent.model import Evidence, State
from consent.specimens import Specimen, What
from delivery import remaking
from gateway.flows.proving import consent_proof
from gateway.flows.proving.consent_proof import Fault, Material, Unknown
from gateway.flows.proving.unanswered import Unanswered
from gateway.http import evidence_paper
from gateway.http.evidence_words import FAULTS, UNKNOWN
from tests.support.audit import MOMENT

TOKEN = "Zm9yLXRoZS1saW5rLW9mLW9uZS1tYWlsLWFuZC1ub28"
RAW = f"To: ada@example.org\r\n\r\nhttps://gateway.example/confirm/{TOKEN}\r\n".encode()
APART = remaking.taken_apart(RAW, {"to": "ada@example.org", "confirm": TOKEN})
LETTER = Specimen(What.MAIL, APART.specimen)
LINK = sha256(base64.urlsafe_b64decode(TOKEN + "=")).hexdigest()
CONSENT = Consent(
    id="con_1",
    subject="sub_1",
    purpose="newsletter",
    text_hash="sha256:" + "0" * 64,
    form="signup",
    locale="en",
    state=State.CONFIRMED,
    evidence=Evidence.PROVEN,
    requested_at=MOMENT,
    lapses_at=MOMENT + timedelta(hours=72),
    decided_at=MOMENT,
    ends_at=None,
    mails=1,
    profile=None,
    eid=b"3" * 16,
)
WHAT = {"consent": "con_1", "purpose": "newsletter", "text": CONSENT.text_hash}
REQUESTED = WHAT | {
    "address_typed": "Ada@example.org",
    "address": "ada@example.org",
    "received_at": MOMENT.isoformat(),
    "form": "signup",
    "form_digest": "sha256:" + "1" * 64,
    "page_url": None,
    "rendered_by": "page",
    "client": None,
    "locale": "en",
    "profile": {},
    "basis": "consent (Art. 6(1)(a) GDPR)",
}
# As the first release wrote them.
SENT: dict[str, Any] = {
    "message": "msg_1",
    "message_id_header": None,
    "from": None,
    "mail": None,
    "relay": None,
    "reply": None,
    "consents": ["con_1"],
}
CONFIRMED = WHAT | {
    "token": "ab" * 32,
    "action": "button on the page behind the link, by POST",
    "confirmed_at": MOMENT.isoformat(),
}
KEPT = SENT | {
    "mail": f"sha256:{sha256(RAW).hexdigest()}",
    "made_of": {"specimen": LETTER.name, "values": dict(APART.values)},
    "token": None,
}


def told(number: int, kind: Kind, facts: Mapping[str, Any]) -> Told:
    eid = bytes([number]) * 16
    event = entry.Event(kind, Actor.SUBJECT, MOMENT, eid=eid)
    made = entry.draft(event, None, "node-1")
    said = dict(facts) | {"sseq": number, "sprev": None}
    return Told("sub_1", entry.parse(made.entry), b"", said)


def material(
    sent: Mapping[str, Any] = SENT, confirmed: Mapping[str, Any] = CONFIRMED, **more: Any
) -> Material:
    events = [
        told(0, Kind.CONSENT_REQUESTED, REQUESTED),
        told(1, Kind.CONSENT_MAIL_SENT, sent),
        told(2, Kind.CONSENT_CONFIRMED, confirmed),
    ]
    found = Material(
        consent=CONSENT,
        told=events,
        places={one.eid: number for number, one in enumerate(events)},
        whole=True,
        fits=True,
        text=None,
        notice=None,
        specimens={LETTER.name: LETTER},
        broken=frozenset(),
        at=MOMENT,
    )
    return replace(found, **more)


def test_what_earlier_releases_did_not_record_is_named_as_unknown() -> None:
    found = consent_proof.assembled(material())

    assert {
        Unknown.FORM_SHOWN,
        Unknown.PAGE_SHOWN,
        Unknown.MAIL_BYTES,
        Unknown.MAIL_LINK,
        Unknown.SERVER_REPLY,
        Unknown.SERVER_SESSION,
    } <= set(found.unknown)
    assert found.mails[0].raw is None
    assert found.faults == [Fault("consent_text", CONSENT.text_hash)], "what never was is no fault"


@pytest.mark.parametrize(
    ("sent", "faults"),
    [
        pytest.param({"token": LINK}, [], id="it fits"),
        pytest.param({"token": "00" * 32}, ["link"], id="another link"),
        pytest.param({"mail": "sha256:" + "2" * 64}, ["mail"], id="another mail"),
        pytest.param(
            {"made_of": {"specimen": LETTER.name, "values": {"to": "eve@example.org"}}},
            ["mail"],
            id="values that lack one",
        ),
        pytest.param(
            {"made_of": {"specimen": "sha256:" + "3" * 64, "values": {}}},
            ["specimen"],
            id="no specimen",
        ),
    ],
)
def test_what_does_not_give_the_mail_that_the_log_names_is_a_fault(
    sent: dict[str, Any], faults: list[str]
) -> None:
    found = consent_proof.assembled(material(KEPT | sent))

    assert [one.what for one in found.faults if one.what != "consent_text"] == faults
    (mail,) = found.mails
    assert mail.raw == (RAW if faults in ([], ["link"]) else None)


def test_that_a_link_confirmed_needs_the_same_link_in_the_mail() -> None:
    theirs = consent_proof.assembled(material(KEPT | {"token": LINK}, CONFIRMED | {"token": LINK}))
    others = consent_proof.assembled(material(KEPT | {"token": LINK}))

    assert [one.was_pressed for one in (*theirs.mails, *others.mails)] == [True, False]


def test_where_who_confirmed_may_not_have_asked_the_request_is_left_out() -> None:
    found = consent_proof.assembled(material(confirmed=CONFIRMED | {"contested": True}))

    assert found.contested
    assert Kind.CONSENT_REQUESTED not in {one.kind for one in found.steps}
    assert Unknown.REQUEST in found.unknown
    assert Unknown.WHO_ASKED not in found.unknown


def test_who_left_all_there_was_ended_this_one_too_once_it_was_asked_for() -> None:
    large = {"channel": "one-click"}
    before = told(0, Kind.CONSENT_WITHDRAWN, large)
    events = list(material().told)
    found = material(told=[before, *events, told(9, Kind.CONSENT_WITHDRAWN, large)])

    steps = consent_proof.assembled(found).steps

    assert [one.kind.partition(".")[2] for one in steps] == [
        *("requested", "mail_sent", "confirmed", "withdrawn")
    ]
    assert steps[-1].entry.eid == bytes([9]) * 16


def test_what_waits_is_what_was_asked_and_not_decided() -> None:
    asked, sent, confirmed = material().told

    def may_confirm(*events: Told, whole: bool = True) -> bool:
        return Unanswered.told_by(events, whole=whole).may_confirm(["con_1"])

    assert may_confirm(asked, sent)
    assert not may_confirm(asked, sent, confirmed)
    # What asked went by its term where the log is whole, and is only away where it is not.
    assert not may_confirm(sent)
    assert may_confirm(sent, whole=False)
    assert not may_confirm(sent, confirmed, whole=False)


def test_everything_unknown_and_every_fault_has_its_sentence() -> None:
    assert UNKNOWN.keys() == set(Unknown)
    named = {"consent_text", "privacy_notice", "specimen", "consent", "log", "mail", "link"}
    assert FAULTS.keys() == named
    assert evidence_paper._STATES.keys() == set(State)
