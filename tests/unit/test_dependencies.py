from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    names = {re.split(r"[\[>=<;! ]", line)[0] for group in groups for line in group}

    explained = set(
        re.findall(r"^\| ([a-z0-9-]+)", (ROOT / "docs/dependencies.md").read_text(), re.M)
    )

    assert names == explained - {"package"}
