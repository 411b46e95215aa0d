"""What the log seals of a person is written under the names it always had, and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import canonical
from audit.kinds import Kind
from consent import address, evidence
from consent.changes import EVENTS
from consent.errors import StoredError
from consent.evidence import (
    Confirmed,
    EndedByItself,
    MailSent,
    Objected,
    PassedOn,
    Proof,
    Requested,
    ServerReply,
    TakenBack,
    Why,
)
from consent.held_evidence import ErasureHeld, HoldLifted, HoldPlaced
from consent.mail_evidence import MadeOf, Session
from consent.rights import Right, RightsDecided, RightsRequested
from consent.sign_ups import RE_PERMISSION, Asked, Caller, RenderedBy, SignUp
from consent.stop_proofs import Lifted, Lifting, Restricting
from consent.subject_evidence import (
    Accessed,
    Corrected,
    Exported,
    Kept,
    Opened,
    ProofEnded,
    Rectified,
    StoppedAgain,
    Suppressed,
)

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors" / "evidence.json").read_text("utf-8")
)["facts"]
NOW = datetime(2026, 11, 23, 8, 25, 10, 123456, tzinfo=UTC)
DUE = datetime(2026, 12, 23, 22, 59, 59, tzinfo=UTC)
TEXT = f"sha256:{sha256(b'TEST-TEXT').hexdigest()}"
FORM = f"sha256:{sha256(b'TEST-FORM').hexdigest()}"
ASKED = Asked("newsletter", TEXT)
FULL = SignUp(
    "signup",
    address.parse("Ada+news@EXAMPLE.org"),
    "de",
    (ASKED,),
    RenderedBy.PAGE,
    "https://www.acme.example/landing",
    FORM,
    "Mozilla/5.0",
    {"first_name": "Ada", "city": "Köln"},
)
LEAST = SignUp("signup", address.parse("ada@example.org"), "en", (ASKED,))
SENT = MailSent(
    message="msg_1",
    message_id_header="1@acme.example",
    sender_address="news@acme.example",
    mail="sha256:" + "ab" * 32,
    relay="relay",
    reply=ServerReply(250, "2.0.0", "kept for <ada@example.org>"),
    consents=("con_1", "con_2"),
)
PAGE = f"sha256:{sha256(b'TEST-PAGE').hexdigest()}"
LETTER_OF = f"sha256:{sha256(b'TEST-LETTER').hexdigest()}"
KEPT_MAIL = replace(
    SENT,
    token=sha256(b"TEST-TOKEN").hexdigest(),
    made_of=MadeOf(LETTER_OF, {"to": "ada@example.org", "confirm": "TEST-TOKEN"}),
    session=Session("mx.example.org", 25, "TLSv1.3", "TLS_X", "mx.example.org", "ab" * 32),
)
GONE = replace(SENT, sender_address=None, mail=None, relay=None, reply=ServerReply(250, None, ""))
LETTER = PassedOn(datetime(2026, 11, 20, 9, tzinfo=timezone(timedelta(hours=1))), "case-7")
BY_LINK = TakenBack("con_1", "newsletter", "one-click")
AGREED = Confirmed("con_1", "newsletter", TEXT, sha256(b"TEST-TOKEN").hexdigest(), NOW)
GOLDEN: dict[str, Proof] = {
    "a request with everything that a form can say": Requested.by("con_1", FULL, ASKED, NOW),
    "a request that says the least": Requested.by("con_1", LEAST, ASKED, NOW),
    "a request that the operator made, in the place of a consent": replace(
        Requested.by("con_1", LEAST, ASKED, NOW),
        form=RE_PERMISSION,
        rendered_by=RenderedBy.MAIL,
        client="texts ask-again",
        in_place_of="con_0",
    ),
    "a mail that asked, and the server's answer": SENT,
    "a request that a back end passed on": replace(
        Requested.by("con_1", LEAST, ASKED, NOW), client="api", caller=Caller("key_1", "shop")
    ),
    "a request by a page of which a specimen is kept": replace(
        Requested.by("con_1", FULL, ASKED, NOW), shown=PAGE
    ),
    "a mail that can be made again, with its link and its session": KEPT_MAIL,
    "a mail that went over plain text": replace(KEPT_MAIL, session=Session("mx.example.org", 25)),
    "a mail that asked, with a bare answer": replace(SENT, reply=ServerReply(250, None, "")),
    "a mail whose answer only the journal knew": replace(SENT, mail=None, reply=None),
    "a mail of a process that is gone": GONE,
    "a mail of a process of the first release that is gone": replace(
        GONE, message_id_header=None, reply=None
    ),
    "a confirmation": AGREED,
    "a confirmation with the answers that stand": replace(AGREED, answers={"first_name": "Ada"}),
    "a confirmation with the link to leave by": replace(AGREED, handle="ab" * 32),
    "a confirmation in whose place a link was missing": replace(
        AGREED, handle="ab" * 32, handle_replaced=True
    ),
    "a confirmation on a page of which a specimen is kept": replace(AGREED, shown=PAGE),
    "a confirmation of a request that may be somebody else's": replace(
        AGREED, answers={"first_name": "Ada"}, handle="ab" * 32, contested=True
    ),
    "a request that another one made needless": EndedByItself(
        "con_1", "newsletter", Why.SUPERSEDED
    ),
    "a rejection": replace(BY_LINK, channel="confirmation-link"),
    "a withdrawal by link": BY_LINK,
    "a withdrawal of what was not there": replace(BY_LINK, consent=None),
    "a withdrawal of everything, which was not there": replace(BY_LINK, consent=None, purpose=None),
    "a withdrawal that a caller passed on": replace(BY_LINK, channel="phone", passed_on=LETTER),
    "a withdrawal passed on without date and reference": replace(
        BY_LINK, channel="letter", passed_on=PassedOn(None, None)
    ),
    "an objection": Objected("letter", ("con_1", "con_2")),
    "an objection that a caller passed on": Objected("letter", ("con_1", "con_2"), LETTER),
    "a request that nobody answered": EndedByItself("con_1", "newsletter", Why.TIME),
    "a consent past its date": EndedByItself("con_1", "newsletter", Why.TIME),
    "a consent that was not used": EndedByItself("con_1", "newsletter", Why.UNUSED),
    "a look by fresh link": Accessed("the person's own look, by a fresh link", "lnk_1"),
    "a right that was asked for": RightsRequested("req_1", Right.ACCESS, "letter", NOW, DUE),
    **{
        f"a request that was {became}": RightsDecided("req_1", Right.ACCESS, DUE)
        for became in ("extended", "answered", "refused")
    },
    "a look by a caller": Accessed("case 17", caller="key_1"),
    "a look at the desk": Accessed("case 17", operator="privacy-1"),
    "everything taken along": Exported("pdf", timedelta(milliseconds=1234)),
    "proof whose term was over": ProofEnded((0, 2)),
    "locked evidence that was opened for a case": Opened("2026-17", "a lawyer's letter", "key_1"),
    "a mailbox that does not exist": Suppressed("msg_1", "bounce"),
    "a hold": HoldPlaced("hol_1", "a dispute", NOW.replace(year=2027, microsecond=0)),
    "a hold that ended": HoldLifted("hol_1"),
    "an erasure that waits for a hold": ErasureHeld("era_1"),
    "an address that was kept": Kept("adr_1"),
    "a stop that was lifted by somebody else": StoppedAgain(Lifted.RESTRICTION, "adr_1"),
    "answers that were corrected": Rectified(
        Corrected.PROFILE, "my-data", ("first_name", "language")
    ),
    "an address that was changed": Rectified(
        Corrected.ADDRESS,
        "address-link",
        link="adr_1",
        address="ada.new@example.net",
        address_typed="Ada.New@example.net",
    ),
    "a restriction": Restricting("my-data"),
    "a restriction that was lifted": Restricting("my-data"),
    "an objection that was lifted": Lifting(Lifted.OBJECTION, "my-data", ("con_1",)),
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_facts_are_written_and_read_as_in_the_vectors(vector: dict[str, Any]) -> None:
    proof = GOLDEN[vector["name"]]

    assert canonical(proof.facts()) == canonical(vector["facts"])
    assert evidence.read(Kind(vector["kind"]), vector["facts"]) == proof


def test_every_kind_that_has_facts_of_its_own_is_in_the_vectors() -> None:
    assert {one["name"] for one in VECTORS} == GOLDEN.keys()
    assert {Kind(one["kind"]) for one in VECTORS} == set(evidence._TYPES)


def test_every_change_of_a_consent_has_facts_that_name_it() -> None:
    facts = {Kind(one["kind"]): one["facts"] for one in VECTORS}

    for kind in EVENTS.values():
        said = evidence.read(kind, facts[kind])
        assert said is not None and said.consents == ("con_1",)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_another_release_added_is_passed_over(vector: dict[str, Any]) -> None:
    facts = vector["facts"] | {"score": 7, "comp": "evidence", "sseq": 0, "sub": "sub_1"}

    assert evidence.read(Kind(vector["kind"]), facts) == GOLDEN[vector["name"]]


def test_kinds_whose_facts_have_no_type_are_not_read() -> None:
    assert evidence.read(Kind.DELIVERY_BATCH, {"message": "msg_1"}) is None


TIMES = st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-3, minutes=-30))))
REQUESTS = st.builds(
    Requested,
    *[st.text()] * 5,
    received_at=TIMES,
    form=st.text(),
    form_digest=st.none() | st.text(),
    page_url=st.none() | st.text(),
    rendered_by=st.sampled_from(RenderedBy),
    client=st.none() | st.text(),
    locale=st.text(),
    profile=st.dictionaries(st.text(), st.text()),
)
PASSED_ON = st.none() | st.builds(PassedOn, st.none() | TIMES, st.none() | st.text())


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(proof: Requested) -> None:
    stored = json.loads(json.dumps(proof.facts()))

    assert evidence.read(Kind.CONSENT_REQUESTED, stored) == proof


@given(st.builds(TakenBack, st.text(), st.text(), st.text(), PASSED_ON))
def test_a_withdrawal_is_read_as_it_was_written(proof: TakenBack) -> None:
    stored = json.loads(json.dumps(proof.facts()))

    assert evidence.read(Kind.CONSENT_WITHDRAWN, stored) == proof


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.data())
def test_whatever_is_stored_is_read_or_refused_without_being_quoted(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(VECTORS))
    names = st.sampled_from(sorted(vector["facts"]))
    facts = vector["facts"] | data.draw(st.dictionaries(names, JSON))

    try:
        evidence.read(Kind(vector["kind"]), facts)
    except StoredError as error:
        assert str(error) == "stored facts cannot be read"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_facts_without_what_every_release_wrote_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(StoredError):
        evidence.read(Kind(vector["kind"]), {})
