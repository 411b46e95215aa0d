from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    names = {re.split(r"[\[>=<;! ]", line)[0] for group in groups for line in group}

    explained = set(
        re.findall(r"^\| ([a-z0-9-]+)", (ROOT / "docs/dependencies.md").read_text(), re.M)
    )

    assert names == explained - {"package"}


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name
)
def test_a_lock_is_exact_and_hashed_and_names_no_host(path: Path) -> None:
    text = path.read_text()
    wanted = re.split(r"\n(?=\S)", text.strip())

    assert "://" not in text
    for one in wanted:
        assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==\S+", one), one
        assert "--hash=sha256:" in one, one


def test_what_a_benchmark_fetches_from_npm_is_exact_and_hashed_and_names_no_host() -> None:
    text = (ROOT / "benchmarks/nodemailer/package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    wanted = packages.pop("")["dependencies"]

    assert "://" not in text
    assert all(re.fullmatch(r"[\d.]+", version) for version in wanted.values())
    assert packages
    for one in packages.values():
        assert one["integrity"].startswith("sha512-")
