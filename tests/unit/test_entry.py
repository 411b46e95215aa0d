"""Entries, commitments and batch roots are byte for byte those of the vectors."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit import tree
from audit.canonical import canonical, decode, encode
from audit.entry import (
    Event,
    Item,
    Place,
    batch_root,
    commitment,
    committed,
    draft,
    facts_of,
    item_place,
    parse,
    payload_place,
)
from audit.errors import EntryError
from audit.kinds import Actor, Kind
from audit.rowmac import RowMac
from tests.support.audit import GRACE, MOMENT, VECTORS, KeyRing

ENTRIES = VECTORS["entries"]
OPENED = [one for one in ENTRIES if one["opened"]]
ITEMS = VECTORS["batch_event"]["items"]


def fixed(salt: bytes) -> Callable[[int], bytes]:
    """Dice that always fall like this; nothing for no salts."""
    return lambda size: salt[:size]


def opened_as(ring: KeyRing, made: Any) -> list[dict[str, Any]]:
    return [
        facts_of(
            ring.open(one.subject, one.compartment, payload_place(made.eid), one.sealed) or b""
        )
        for one in made.payloads
    ]


@pytest.mark.parametrize("vector", ENTRIES, ids=range(len(ENTRIES)))
def test_the_leaf_hash_is_over_the_bytes_of_the_entry(vector: dict[str, Any]) -> None:
    assert tree.leaf_hash(vector["entry"].encode()).hex() == vector["leaf_hash_hex"]


@pytest.mark.parametrize("vector", OPENED, ids=range(len(OPENED)))
def test_a_persons_event_is_drafted_as_the_vector_says(vector: dict[str, Any]) -> None:
    said, payload = parse(vector["entry"].encode()), json.loads(vector["opened"]["payload"])
    salt = bytes.fromhex(vector["opened"]["salt_hex"])
    place = Place(payload["sub"], payload["sseq"], payload["sprev"])
    facts = {"evidence": {"address": payload["address"]}}
    event = Event(said.kind, said.actor, said.at, said.eid, said.refs, facts, place)
    ring = KeyRing()

    made = draft(event, ring, said.node, salts=fixed(salt))

    assert made.entry == vector["entry"].encode()
    assert made.next == Place(
        payload["sub"], payload["sseq"] + 1, vector["opened"]["commitment_base64"]
    )
    assert opened_as(ring, made) == [payload]


def test_an_event_about_nobody_is_drafted_as_the_vector_says() -> None:
    vector = ENTRIES[3]["entry"].encode()
    said = parse(vector)

    made = draft(Event(said.kind, said.actor, said.at, said.eid), None, said.node)

    assert (made.entry, made.next, made.payloads) == (vector, None, [])


def test_a_batch_event_is_drafted_as_the_vector_says() -> None:
    vector = ENTRIES[VECTORS["batch_event"]["index"]]["entry"].encode()
    said = parse(vector)
    salts = b"".join(bytes.fromhex(one["salt_hex"]) for one in ITEMS)
    items = []
    for one in ITEMS:
        facts = json.loads(one["payload"])
        items.append(Item(facts.pop("sub"), facts))
    ring = KeyRing()

    made = draft(
        Event(said.kind, said.actor, said.at, said.eid, items=items),
        ring,
        said.node,
        salts=fixed(salts),
    )

    assert made.entry == vector
    assert [encode(one.commitment) for one in made.items] == [
        one["commitment_base64"] for one in ITEMS
    ]
    kept = made.items[1]
    opened = ring.open(kept.subject or "", "evidence", item_place(said.eid, 1), kept.sealed)
    assert opened is not None
    assert opened[32:].decode() == ITEMS[1]["payload"]


@pytest.mark.parametrize("position", range(3))
def test_an_item_is_proved_in_two_steps(position: int) -> None:
    said = parse(ENTRIES[VECTORS["batch_event"]["index"]]["entry"].encode())
    commitments = [decode(one["commitment_base64"]) for one in ITEMS]
    leaves = [tree.leaf_hash(one) for one in commitments]
    path = [bytes.fromhex(one) for one in ITEMS[position]["inclusion_proof_hex"]]

    assert said.batch is not None
    assert batch_root(commitments) == said.batch.root
    assert tree.inclusion_proof(leaves, position) == path
    assert tree.verify_inclusion(position, 3, leaves[position], path, said.batch.root)


@pytest.mark.parametrize("vector", OPENED, ids=range(len(OPENED)))
def test_a_commitment_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    salt, payload = bytes.fromhex(vector["opened"]["salt_hex"]), vector["opened"]["payload"]

    assert commitment(salt, payload.encode()) == committed(salt + payload.encode())
    assert encode(committed(salt + payload.encode())) == vector["opened"]["commitment_base64"]


def test_an_item_about_nobody_is_kept_unsealed_and_committed_to() -> None:
    made = draft(
        Event(Kind.DELIVERY_BATCH, Actor.SYSTEM, MOMENT, items=[Item(None, {"message": "msg_1"})]),
        None,
        "node-1",
    )

    assert facts_of(made.items[0].sealed) == {"message": "msg_1"}
    assert committed(made.items[0].sealed) == made.items[0].commitment


def test_a_person_gets_evidence_even_when_there_is_nothing_to_say() -> None:
    ring = KeyRing()

    made = draft(
        Event(Kind.CONSENT_LAPSED, Actor.SYSTEM, MOMENT, place=Place(GRACE, 4, "before")), ring, "n"
    )

    (said,) = opened_as(ring, made)
    assert said == {
        "comp": "evidence",
        "eid": encode(made.eid),
        "sprev": "before",
        "sseq": 4,
        "sub": GRACE,
    }


def test_compartments_are_sealed_one_by_one_and_the_trail_follows_the_evidence() -> None:
    ring = KeyRing()
    facts = {"network": {"ip": "192.0.2.1"}, "evidence": {"page": "x"}}

    made = draft(
        Event(
            Kind.CONSENT_REQUESTED, Actor.SUBJECT, MOMENT, facts=facts, place=Place(GRACE, 0, None)
        ),
        ring,
        "n",
    )

    assert [one.compartment for one in made.payloads] == ["evidence", "network"]
    assert {key for key in ring.keys} == {(GRACE, "evidence"), (GRACE, "network")}
    assert made.next is not None
    assert made.next.last == encode(parse(made.entry).commitments["evidence"])


def test_nothing_of_a_person_is_in_the_entry() -> None:
    facts = {"evidence": {"address": "canary@person.example"}}
    event = Event(
        Kind.CONSENT_REQUESTED, Actor.SUBJECT, MOMENT, facts=facts, place=Place(GRACE, 0, None)
    )

    entry = draft(event, KeyRing(), "n").entry

    assert b"canary" not in entry
    assert GRACE.encode() not in entry


def test_the_moment_is_utc_in_whole_milliseconds() -> None:
    berlin = datetime(2026, 7, 1, 2, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))

    made = draft(Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, berlin), None, "n")

    assert made.at == datetime(2026, 7, 1, 0, 0, 0, 123_000, tzinfo=UTC) == parse(made.entry).at


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"facts": {"evidence": {}}}, id="facts without a person"),
        pytest.param({"refs": {"text": "canary@person.example"}}, id="an address as a reference"),
        pytest.param({"refs": {"text": "x" * 129}}, id="a long reference"),
        pytest.param({"refs": {"Text": "x"}}, id="a name that is not small"),
        pytest.param({"refs": {f"r{'r' * n}": "x" * 128 for n in range(40)}}, id="a long entry"),
        pytest.param({"eid": b"short"}, id="a short id"),
        pytest.param({"at": datetime(2026, 1, 1)}, id="a naive moment"),  # noqa: DTZ001
        pytest.param({"items": [Item(GRACE, {})]}, id="nobody to seal"),
        pytest.param({"items": [Item(None, {"sub": "x"})]}, id="a fact in the name of the subject"),
    ],
)
def test_an_event_that_the_format_cannot_carry_is_refused(change: dict[str, Any]) -> None:
    event = replace(Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, MOMENT), **change)

    with pytest.raises(ValueError, match=r"need|fit|aware|mandatory") as caught:
        draft(event, None, "n")

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["comp", "eid", "sub", "sseq", "sprev"])
def test_facts_cannot_overwrite_the_mandatory_ones(name: str) -> None:
    event = Event(
        Kind.CONSENT_LAPSED,
        Actor.SYSTEM,
        MOMENT,
        facts={"evidence": {name: "x"}},
        place=Place(GRACE, 0, None),
    )

    with pytest.raises(ValueError, match="mandatory"):
        draft(event, KeyRing(), "n")


@pytest.mark.parametrize("vector", ENTRIES, ids=range(len(ENTRIES)))
def test_an_entry_with_a_stray_byte_is_no_entry(vector: dict[str, Any]) -> None:
    entry = vector["entry"].encode()

    for changed in (entry + b"\n", b" " + entry, entry.replace(b":", b": ", 1), entry[:-1]):
        with pytest.raises(EntryError):
            parse(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"k":"consent.requested"', b'"k":"consent.invented"', id="unknown kind"),
        pytest.param(b'"ac":"subject"', b'"ac":"somebody"', id="unknown actor"),
        pytest.param(b"2026-11-23T", b"2026-13-23T", id="no such month"),
        pytest.param(b'"v":1', b'"v":2', id="another version"),
        pytest.param(b"w==", b"x==", id="stray bits"),
        pytest.param(b'"rf":{', b'"rf":{"zz":"1",', id="names out of order"),
    ],
)
def test_what_only_looks_like_an_entry_is_refused(old: bytes, new: bytes) -> None:
    entry = ENTRIES[0]["entry"].encode()
    assert old in entry

    with pytest.raises(EntryError):
        parse(entry.replace(old, new))


@given(st.binary())
def test_random_bytes_raise_only_their_own_error(raw: bytes) -> None:
    with pytest.raises(EntryError):
        parse(raw)


names = st.text(st.characters(codec="ascii"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_fast_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.5, {"ä": 1}, 2**53, {1: 2}, b"x", MOMENT], ids=repr)
def test_a_value_without_a_sure_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical([value])


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**63), st.binary(max_size=200))
def test_the_row_mac_is_hmac_over_log_number_and_entry(key: bytes, n: int, entry: bytes) -> None:
    message = sha256(b"a.example").digest() + n.to_bytes(8, "big") + entry
    mac = RowMac(key, "a.example")

    for mine, domain in ((mac.pending, b"pending"), (mac.entry, b"entry")):
        whole = b"consentgw/audit/" + domain + b"/v1\0" + message
        assert mine(n, entry) == hmac.digest(key, whole, "sha256")
