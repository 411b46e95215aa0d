"""Intake is sealed and opened in one place; rows that an earlier release sealed still open."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import address, intakes
from consent.intakes import Intake, IntakeKind, Under
from consent.keys import seal
from consent.sign_ups import Asked, RenderedBy, SignUp
from storage.secret import Secret

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "intake.json").read_text("utf-8"))
ROWS: dict[str, Any] = {one["name"]: one for one in VECTORS["rows"]}
NOW = datetime(2026, 11, 23, 8, 25, 10, tzinfo=UTC)
KEY = Secret(sha256(b"TEST-INTAKE-KEY").digest())
KEYS = {"ink_1": KEY}
UNDER = Under("ink_1", KEY, 1, Secret(sha256(b"TEST-BLIND-INDEX").digest()))
TEXT = f"sha256:{sha256(b'TEST-TEXT').hexdigest()}"
FORM = f"sha256:{sha256(b'TEST-FORM').hexdigest()}"
ADA = address.parse("Ada+news@EXAMPLE.org")
FULL = SignUp(
    "signup",
    ADA,
    "de",
    (Asked("newsletter", TEXT),),
    RenderedBy.PAGE,
    "https://www.acme.example/landing",
    FORM,
    "Mozilla/5.0",
    {"first_name": "Ada", "city": "Köln"},
    by_mailbox=True,
)
LEAST = SignUp("signup", address.parse("ada@example.org"), "en", (Asked("newsletter", TEXT),))
SIGN_UPS = {
    "a sign-up with everything that a form can say": FULL,
    "a sign-up that says from where": replace(LEAST, network="198.51.0.0/16"),
    "a sign-up that says the least": LEAST,
}


def golden(name: str) -> Intake:
    one = ROWS[name]
    index, sealed = (bytes.fromhex(one[key]) for key in ("index_hex", "sealed_hex"))
    return Intake(one["id"], "ink_1", index, sealed, NOW, IntakeKind(one["kind"]))


def holding(raw: bytes) -> Intake:
    """A row that we sealed, with whatever is in it."""
    aad = ("consentgw/intake/v1", "intake", "sealed", "int_1")
    return Intake("int_1", "ink_1", b"", seal.seal(KEY.reveal(), raw, aad), NOW)


def plaintext(one: Intake) -> str:
    aad = ("consentgw/intake/v1", "intake", "sealed", one.id)
    return seal.open_sealed(KEY.reveal(), one.sealed, aad).decode()


@pytest.mark.parametrize("name", SIGN_UPS)
def test_a_sign_up_is_kept_as_in_the_vectors(name: str) -> None:
    made = intakes.seal_sign_up(SIGN_UPS[name], UNDER, NOW)

    assert plaintext(made) == ROWS[name]["document"]
    assert made.blind_index == golden(name).blind_index
    assert (made.kind, made.key_id) == (IntakeKind.SIGN_UP, "ink_1")


@pytest.mark.parametrize("name", SIGN_UPS)
def test_a_sign_up_of_the_vectors_opens(name: str) -> None:
    row = golden(name)

    assert intakes.open_sign_ups([row], KEYS).said == {row.id: SIGN_UPS[name]}


def test_a_request_for_a_link_is_kept_and_opened_as_in_the_vectors() -> None:
    made, row = intakes.seal_fresh_link(ADA, UNDER, NOW), golden("a request for a fresh link")

    assert plaintext(made) == ROWS["a request for a fresh link"]["document"]
    assert (made.blind_index, made.kind) == (row.blind_index, IntakeKind.FRESH_LINK)
    assert intakes.open_fresh_links([row], KEYS).said == {row.id: address.parse(ADA.canonical)}


def test_what_is_sealed_opens_again() -> None:
    whole = replace(FULL, network="198.51.0.0/16", origins=("ab" * 32, "cd" * 32))

    made = intakes.seal_sign_up(whole, UNDER, NOW)

    assert intakes.open_sign_ups([made], KEYS).said == {made.id: whole}


def test_a_row_of_an_older_or_a_later_release_opens() -> None:
    document = json.loads(ROWS["a sign-up that says the least"]["document"])
    del document["by_mailbox"]  # the first releases lacked it

    row = holding(json.dumps(document | {"score": 7}).encode())

    assert intakes.open_sign_ups([row], KEYS).said == {"int_1": LEAST}


BAD = {
    "altered": replace(golden("a sign-up that says the least"), sealed=b"\x01\x01" + b"0" * 200),
    "moved": replace(golden("a sign-up that says the least"), id="int_9"),
    "no JSON": holding(b"{"),
    "no text": holding(b"\xff"),
    "no object": holding(b"[]"),
    "nothing in it": holding(b"{}"),
    "another type": holding(b'{"form": 7, "email": "ada", "locale": [], "asked": {}}'),
    "no address": holding(b'{"email": "nobody"}'),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_row_stops_none_of_the_others(bad: Intake) -> None:
    good = intakes.seal_sign_up(FULL, UNDER, NOW)
    link = intakes.seal_fresh_link(ADA, UNDER, NOW)

    sign_ups = intakes.open_sign_ups([bad, good], KEYS)
    links = intakes.open_fresh_links([bad, link], KEYS)

    assert (sign_ups.said, sign_ups.damaged) == ({good.id: FULL}, [bad])
    assert (list(links.said), links.damaged) == ([link.id], [bad])


def test_a_row_whose_key_was_destroyed_is_not_called_damaged() -> None:
    row = intakes.seal_sign_up(FULL, UNDER, NOW)

    assert intakes.open_sign_ups([row], {}) == intakes.Opened({}, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(sorted(json.loads(ROWS["a sign-up that says the least"]["document"])))


@given(st.dictionaries(FIELDS, JSON))
def test_whatever_a_row_holds_is_read_or_damaged(altered: dict[str, Any]) -> None:
    document = json.loads(ROWS["a sign-up that says the least"]["document"]) | altered

    opened = intakes.open_sign_ups([holding(json.dumps(document).encode())], KEYS)

    assert len(opened.said) + len(opened.damaged) == 1
