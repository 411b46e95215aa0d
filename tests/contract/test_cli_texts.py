"""`gateway texts`, on both databases, as the operator runs it."""

from __future__ import annotations

import json

from tests.support.commands import Run


def test_texts_are_listed_and_an_unknown_one_is_not_retired(run: Run) -> None:
    run("init")

    listed = run("texts", "list", "--json")
    retired = run("texts", "retire", "sha256:" + "0" * 64)

    assert (listed.status, json.loads(listed.out)) == (0, [])
    assert (retired.status, retired.out) == (1, "")
