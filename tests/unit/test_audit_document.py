"""docs/formats/audit-log.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from audit.kinds import Kind
from tests.support.audit import VECTORS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats" / "audit-log.md").read_text()


def test_the_registry_of_kinds_is_complete_and_holds_no_other() -> None:
    named = set()
    table = DOCUMENT.partition("a closed registry")[2].partition("##")[0]
    for prefixes, kinds in re.findall(r"^\| (`.*?) \| (.*?) \|$", table, re.MULTILINE):
        for kind in re.findall(r"`([a-z_.]+)`", kinds):
            named.add(kind if "." in kind else prefixes.strip("`") + kind)

    assert named == {kind.value for kind in Kind}


def test_the_worked_example_is_that_of_the_vectors() -> None:
    first = VECTORS["entries"][0]
    shown = [first["entry"], first["leaf_hash_hex"], *first["opened"].values()]
    shown += [VECTORS["checkpoint"]["vkey"], VECTORS["checkpoint"]["note"]]
    shown += [*VECTORS["inclusion_proofs_size_7"]["0"], VECTORS["roots_hex"]["7"]]

    assert [one for one in shown if one not in DOCUMENT] == []
