"""In which order tests are begun where several processes take them, and which stay together."""

from __future__ import annotations

from collections import Counter

import pytest
from xdist.scheduler import LoadScopeScheduling

# Their tests share what takes seconds to make: a gateway that lived, servers, a browser's window.
TOGETHER = frozenset(
    {
        "tests/attacks/test_every_table.py",
        "tests/browser/test_pages.py",
        "tests/contract/test_refusals.py",
        "tests/faults/test_stores_away.py",
        "tests/faults/test_streams.py",
        "tests/smtp/test_inbox.py",
        "tests/smtp/test_spamassassin.py",
    }
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out test by test, but of some files all to one process; those with most tests first.

    `xdist_group` of pytest-xdist 3.8 does nothing under pytest 9.2, whose names of tests it cannot
    change.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return path if path in TOGETHER else nodeid


def mix(items: list[pytest.Item]) -> None:
    """Those that last begin first; of the others each directory's are spread over the whole run.

    Begun last, a long one would have the machine for itself. Those of some directories
    compute, those of others mostly wait for processes: one directory after the other, all
    processes would wait at one time and share the processors at another.
    """
    kinds = [item.path.parent for item in items]
    all_of, seen = Counter(kinds), Counter[object]()
    places = {}
    for item, kind in zip(items, kinds, strict=True):
        places[item] = (seen[kind] + 0.5) / all_of[kind]
        seen[kind] += 1
    items.sort(key=lambda item: (-_seconds(item), places[item]))


def _seconds(item: pytest.Item) -> int:
    mark = item.get_closest_marker("lasts")
    return 0 if mark is None else int(mark.args[0])
