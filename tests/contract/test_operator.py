"""`gateway operator`, on both databases, as whoever runs the gateway uses it."""

from __future__ import annotations

import json

import pytest

from gateway.callers.operators import Role
from gateway.cli.operator import ROLES
from tests.support.commands import Run

DPO = "privacy@acme.example"


@pytest.mark.usefixtures("initialised")
def test_a_link_is_printed_once_and_alone_and_no_address_anywhere(run: Run) -> None:
    created = run("operator", "create", "--role", "dpo", "--name", "privacy-1", stdin=DPO)
    listed = run("operator", "list", "--json")

    assert created.status == 0, created.err
    assert "/dpo/link/" in created.out
    assert len(created.out.split()) == 1
    (one,) = json.loads(listed.out)
    assert (one["name"], one["role"], one["revoked"]) == ("privacy-1", "dpo", False)
    for said in (created, listed, run("operator", "list")):
        assert "acme.example" not in said.out.replace(created.out.strip(), "") + said.err


@pytest.mark.usefixtures("initialised")
def test_for_a_machine_all_of_it_is_json(run: Run) -> None:
    created = run("operator", "create", "--role", "auditor", "--json", stdin=DPO).json

    assert created.keys() == {"id", "name", "role", "link"}
    assert (created["name"], created["role"]) == ("auditor-1", "auditor")


@pytest.mark.usefixtures("initialised")
def test_who_is_revoked_is_listed_as_such(run: Run) -> None:
    one = run("operator", "create", "--role", "dpo", "--json", stdin=DPO).json

    revoked, again = (run("operator", "revoke", one["id"]) for _ in range(2))

    assert (revoked.status, again.status) == (0, 1)
    assert "revoked 2" in run("operator", "list").out
    assert run("audit", "verify").status == 0


@pytest.mark.usefixtures("initialised")
def test_who_it_is_is_shown_for_a_case_also_after_they_were_revoked(run: Run) -> None:
    one = run("operator", "create", "--role", "dpo", "--json", stdin=DPO).json["id"]
    run("operator", "revoke", one)

    without = run("operator", "show", one)
    named = run("operator", "show", one, "--case", "Ada")
    shown = run("operator", "show", one, "--case", "2026-17")
    nobody = run("operator", "show", "opr_none", "--case", "2026-17")

    assert (without.status, named.status, nobody.status) == (2, 2, 1)
    assert (shown.status, shown.out) == (0, f"dpo-1 {DPO}\n")
    assert run("audit", "verify").status == 0


@pytest.mark.usefixtures("initialised")
def test_neither_mailbox_nor_name_is_given_twice_while_it_stands(run: Run) -> None:
    one = run("operator", "create", "--role", "dpo", "--name", "a", "--json", stdin=DPO).json

    mailbox = run("operator", "create", "--role", "admin", stdin=DPO.upper())
    name = run("operator", "create", "--role", "dpo", "--name", "a", stdin="b@acme.example")
    run("operator", "revoke", one["id"])
    after = run("operator", "create", "--role", "dpo", stdin=DPO)

    assert (mailbox.status, name.status, after.status) == (1, 1, 0)
    assert one["id"] in mailbox.err
    assert one["id"] in name.err


def test_help_says_of_each_role_what_it_may(run: Run) -> None:
    said = run("operator", "create", "--help").out

    assert set(ROLES) == set(Role)
    assert [name for name, does in ROLES.items() if f"{name}: {does[:30]}" not in said] == []


@pytest.mark.parametrize(
    ("wrong", "stdin", "status"),
    [
        (("--role", "boss"), DPO, 2),
        (("--role", "dpo", "--name", "Ada Lovelace"), DPO, 2),
        ((), DPO, 2),
        (("--role", "dpo"), "privacy", 1),
    ],
    ids=["unknown role", "no name", "no role", "no address"],
)
@pytest.mark.usefixtures("initialised")
def test_what_is_wrong_enters_nobody(
    run: Run, wrong: tuple[str, ...], stdin: str, status: int
) -> None:
    done = run("operator", "create", *wrong, stdin=stdin)

    assert (done.status, done.out) == (status, "")
    assert run("operator", "list", "--json").json == []
