"""Which tests several processes begin first, which of them stay together, and that none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CONFTEST = """
import pytest
from tests.support import order

order.TOGETHER = frozenset({"together/test_c.py"})

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return order.Scheduling(config, log)

def pytest_collection_modifyitems(items):
    order.mix(items)
"""
_TESTS = {
    "many/test_a.py": """
import pytest

@pytest.mark.parametrize("n", range(4))
def test_a(n):
    pass
""",
    "some/test_b.py": """
import pytest

@pytest.mark.parametrize("n", range(2))
def test_b(n):
    pass

@pytest.mark.lasts(9)
def test_long():
    pass

@pytest.mark.lasts(20)
def test_longer():
    pass
""",
    "together/test_c.py": """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_c(n):
    pass
""",
}


def _run(folder: Path, *arguments: str) -> list[str]:
    for name, source in _TESTS.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(source)
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text(
        f"[pytest]\naddopts = --import-mode=importlib -p no:schemathesis\npythonpath = {ROOT}\n"
        "markers = lasts(seconds): as ours\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_what_lasts_begins_first_and_directories_are_spread(tmp_path: Path) -> None:
    said = _run(tmp_path, "--collect-only", "-q")

    assert [one.rpartition("::")[2] for one in said if "::" in one] == [
        *("test_longer", "test_long"),
        *("test_a[0]", "test_b[0]", "test_c[0]", "test_a[1]", "test_b[1]", "test_c[1]"),
        *("test_a[2]", "test_c[2]", "test_a[3]"),
    ]


def test_a_file_whose_tests_share_something_stays_in_one_process(tmp_path: Path) -> None:
    said = _run(tmp_path, "-v", "-n", "2")

    passed = [one for one in said if " PASSED " in one]
    processes = {one.split()[0] for one in passed if "together/" in one}
    assert len(processes) == 1
    assert len(passed) == 11
