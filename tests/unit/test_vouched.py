"""Whom a provider's word makes somebody at the desk: nobody who is not entered here."""

from __future__ import annotations

from typing import Any

import pytest

from consent import address
from gateway.callers.operators import Identity
from gateway.flows.desk import vouched
from gateway.flows.desk.vouched import Chosen, Vouched, Why
from gateway.oidc.id_token import Account
from tests.unit.test_handshake import OURS

ISSUER = OURS.issuer
MINE, OTHER = Account(ISSUER, "u-1"), Account(ISSUER, "u-2")
DPO = address.parse("privacy@acme.example")
ADMIN = address.parse("admin@acme.example")
KNOWN = {"opr_a": Identity(DPO, "privacy-1"), "opr_b": Identity(ADMIN, "admin-1")}


def bound(account: Account) -> dict[str, Identity]:
    return {**KNOWN, "opr_a": Identity(DPO, "privacy-1", account)}


@pytest.mark.parametrize(
    ("said", "known", "found"),
    [
        pytest.param(Vouched(MINE, DPO), KNOWN, Chosen("opr_a", new=True), id="for the first time"),
        pytest.param(Vouched(MINE, DPO), bound(MINE), Chosen("opr_a", new=False), id="again"),
        pytest.param(Vouched(MINE, None), bound(MINE), Chosen("opr_a", new=False), id="no address"),
        pytest.param(
            Vouched(MINE, ADMIN), bound(MINE), Chosen("opr_a", new=False), id="address of another"
        ),
        pytest.param(Vouched(OTHER, DPO), bound(MINE), Why.OTHER_ACCOUNT, id="another account"),
        pytest.param(
            Vouched(OTHER, DPO),
            bound(Account("https://before.example", "u-1")),
            Chosen("opr_a", new=True),
            id="a provider of before",
        ),
        pytest.param(
            Vouched(MINE, None),
            bound(Account("https://before.example", "u-1")),
            Why.UNVERIFIED,
            id="the same name at another provider",
        ),
        pytest.param(Vouched(MINE, None), KNOWN, Why.UNVERIFIED, id="unchecked"),
        pytest.param(
            Vouched(MINE, address.parse("x@acme.example")), KNOWN, Why.UNKNOWN, id="nobody"
        ),
        pytest.param(Vouched(MINE, DPO), {}, Why.UNKNOWN, id="there is nobody"),
    ],
)
def test_who_it_is(said: Vouched, known: dict[str, Identity], found: Chosen | Why) -> None:
    assert vouched.choose(said, known) == found


@pytest.mark.parametrize("checked", [True, "true", "1", 1])
def test_an_address_that_was_checked_is_taken(checked: Any) -> None:
    claims = {"sub": "u-1", "email": "Privacy@Acme.Example", "email_verified": checked}

    said = vouched.read(claims, OURS)

    assert said.account == MINE and said.email is not None
    assert said.email.canonical == DPO.canonical


@pytest.mark.parametrize("checked", [False, None, "false", "yes", 0, [], ["true"], 2, {}])
def test_anything_else_is_no_yes(checked: Any) -> None:
    claims = {"sub": "u-1", "email": "privacy@acme.example", "email_verified": checked}

    assert vouched.read(claims, OURS) == Vouched(MINE, None)


@pytest.mark.parametrize("email", [None, "", "x", 5, ["privacy@acme.example"], "a@b\n@c.example"])
def test_what_is_no_address_names_nobody(email: Any) -> None:
    claims = {"sub": "u-1", "email": email, "email_verified": True}

    assert vouched.read(claims, OURS).email is None


def test_the_claims_are_those_of_the_configuration() -> None:
    ours = OURS.model_copy(update={"address_claim": "upn", "verified_claim": "xms_edov"})
    claims = {"sub": "u-1", "upn": "privacy@acme.example", "xms_edov": True, "email": "x@y.example"}

    said = vouched.read(claims, ours)

    assert said.email is not None and said.email.canonical == DPO.canonical
    assert "privacy" not in repr(said)
