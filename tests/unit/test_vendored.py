"""What others wrote and we serve is what they handed out, with its licence, and listed."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.look import resources
from tests.support.house import ROOT

FOLDERS = sorted((resources.templates() / "vendor").iterdir())


def vendored() -> list[dict[str, Any]]:
    return [tomllib.loads((one / "vendor.toml").read_text()) for one in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
def test_each_file_is_as_it_was_handed_out_and_no_other_lies_there(folder: Path) -> None:
    told = tomllib.loads((folder / "vendor.toml").read_text())["sha256"]
    there = {one.name: one.read_bytes() for one in folder.iterdir() if one.name != "vendor.toml"}

    assert {name: hashlib.sha256(raw).hexdigest() for name, raw in there.items()} == told
    assert b"MIT License" in there["LICENSE.txt"]


def test_each_is_among_the_dependencies_with_its_version_and_licence() -> None:
    listed = (ROOT / "docs" / "dependencies.md").read_text().lower()

    for one in vendored():
        assert f"{one['name']} {one['version']}" in listed
        assert one["licence"] == "MIT"
