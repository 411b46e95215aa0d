"""`gateway api-key`, on both databases, as the operator runs it."""

from __future__ import annotations

import json
import time

import pytest

from gateway.callers.api_keys import FRESH, Scope
from gateway.cli.api_key import SCOPES
from tests.support.commands import Run


@pytest.mark.usefixtures("initialised")
def test_an_api_key_is_printed_once_and_alone(run: Run) -> None:
    created = run("api-key", "create", "--name", "shop", "--scope", "messages:send")
    listed = run("api-key", "list", "--json")

    assert created.status == 0
    assert created.out.startswith("cgw_")
    assert len(created.out.split()) == 1
    (key,) = json.loads(listed.out)
    assert (key["name"], key["scopes"], key["revoked_at"]) == ("shop", ["messages:send"], None)
    assert created.out.strip() not in listed.out


def test_help_says_of_each_scope_what_it_lets_a_key_do(run: Run) -> None:
    said = run("api-key", "create", "--help").out

    assert set(SCOPES) == set(Scope)
    assert [name for name, does in SCOPES.items() if f"{name}: {does[:30]}" not in said] == []


@pytest.mark.usefixtures("initialised")
def test_who_binds_a_key_hears_which_scopes_are_refused_to_it(run: Run) -> None:
    scopes = ("--scope", "messages:send", "--scope", "subjects:read", "--scope", "audit:read")
    free = run("api-key", "create", "--name", "all", *scopes)
    bound = run("api-key", "create", "--name", "shop", *scopes, "--purpose", "newsletter")

    assert (free.status, bound.status) == (0, 0)
    assert "is bound" not in free.err
    assert "gets nothing by audit:read, subjects:read: make another key" in bound.err
    assert len(bound.out.split()) == 1


@pytest.mark.usefixtures("initialised")
def test_a_revoked_key_is_listed_as_such(run: Run) -> None:
    run("api-key", "create", "--name", "shop", "--scope", "messages:send", "--sender", "acme")
    (key,) = json.loads(run("api-key", "list", "--json").out)

    begun = time.monotonic()
    revoked = run("api-key", "revoke", key["id"])
    # Or it would be said to be over while a process remembers what it opened.
    assert time.monotonic() - begun > FRESH
    again = run("api-key", "revoke", key["id"])

    assert (revoked.status, again.status) == (0, 1)
    assert "revoked 2" in run("api-key", "list").out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scope", "messages:read"),
        ("--scope", "messages:send", "--sender", "nobody"),
        ("--scope", "messages:send", "--purpose", "nothing"),
        (),
    ],
    ids=["unknown scope", "unknown sender", "unknown purpose", "no scope"],
)
@pytest.mark.usefixtures("initialised")
def test_a_key_for_nothing_that_exists_is_a_usage_error(run: Run, wrong: tuple[str, ...]) -> None:
    assert run("api-key", "create", "--name", "shop", *wrong).status == 2
    assert json.loads(run("api-key", "list", "--json").out) == []
