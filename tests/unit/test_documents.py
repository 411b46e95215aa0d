"""What documents and deployment files name exists: settings, metrics, commands, files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from gateway.cli import app
from gateway.config import config
from gateway.look.translations import languages
from gateway.watch.metrics import Metrics

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DEPLOYED = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file())
_SETTING = re.compile(r"`\[([a-z_.-]+)\] ([a-z_]+)`")
_METRIC = re.compile(r"\bgateway_[a-z_]+\b")
_FOLDERS = "gateway|consent|delivery|audit|storage|docs|deploy|templates|tests"
_PLACE = re.compile(rf"`((?:{_FOLDERS})/[\w./@-]*)(?:: (\w+))?`")
_NO_METRIC = {"gateway_data", "gateway_guard", "gateway_keys", "gateway_route"}


def fields_of(annotation: Any) -> type[BaseModel] | None:
    """The section behind a setting's type: itself, or what a table of them holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = fields_of(inner)
        if found is not None:
            return found
    return None


def is_setting(section: str, key: str) -> bool:
    model: type[BaseModel] = config.Config
    words = section.split(".")
    while words:
        word = words.pop(0)
        field = model.model_fields.get(word)
        inner = field and fields_of(field.annotation)
        if field is None or inner is None:
            return False
        if str(field.annotation).startswith("dict") or "dict[" in str(field.annotation):
            words = words[1:]  # the table's own name
        model = inner
    return re.sub(r"_(env|file)$", "", key) in model.model_fields or key in model.model_fields


def metric_names() -> set[str]:
    names: set[str] = set()
    for family in Metrics().registry.collect():
        endings = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_count", "_sum", ""),
            "gauge": ("",),
        }
        names |= {family.name + ending for ending in endings.get(family.type, ("",))}
    return names


def commands() -> set[str]:
    """Every command line that there is, as its words."""

    def below(command: Any, words: str) -> Iterator[str]:
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            yield from below(inner, f"{words} {name}")

    return set(below(typer.main.get_command(app), "gateway"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_settings_that_a_document_names_exist(path: Path) -> None:
    for section, key in _SETTING.findall(path.read_text()):
        assert is_setting(section, key), f"[{section}] {key}"


def test_a_setting_that_does_not_exist_would_be_noticed() -> None:
    assert is_setting("purposes.newsletter", "unused_after")
    assert is_setting("storage", "url_env")
    assert not is_setting("purposes.newsletter", "unused_before")
    assert not is_setting("delivery.relais", "host")


@pytest.mark.parametrize(
    "path",
    [path for path in [*DEPLOYED, *DOCUMENTS] if _METRIC.search(path.read_text())],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_metrics_that_are_named_exist(path: Path) -> None:
    named = {name for name in _METRIC.findall(path.read_text()) if name not in _NO_METRIC}

    families = {family.name for family in Metrics().registry.collect()}
    assert named <= metric_names() | (families if path in DOCUMENTS else set())


def test_the_board_and_the_rules_use_metrics() -> None:
    for name in ("alerts.yaml", "dashboard.json"):
        assert _METRIC.search((ROOT / "deploy" / "monitoring" / name).read_text())


def test_the_board_is_json_and_every_panel_asks_something() -> None:
    board = json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text())

    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_the_deployed_configuration_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "KEYSTORE", "GUARD"):
        monkeypatch.setenv(f"GATEWAY_{name}_URL", f"postgresql://gateway@db/{name.lower()}")
    monkeypatch.setenv("GATEWAY_RELAY_PASSWORD", "secret")

    loaded = config.load(ROOT / "deploy" / "config.toml")

    assert loaded.delivery.relay.tls == "starttls"
    assert tomllib.loads((ROOT / "deploy" / "config.toml").read_text())["storage"].keys() == {
        "url_env",
        "keystore_url_env",
    }


@pytest.mark.parametrize(
    "path",
    [path for path in [*DEPLOYED, *DOCUMENTS] if path.suffix in (".md", ".service", ".yaml")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_commands_that_are_named_exist(path: Path) -> None:
    known = commands()
    groups = {words for words in known if any(one.startswith(f"{words} ") for one in known)}
    for found in re.finditer(r"(?:`|bin/|^)gateway((?: [a-z][a-z-]*)+)", path.read_text(), re.M):
        words = found[1].split()
        line = f"gateway {words[0]}"
        assert line in known, line
        if line in groups and len(words) > 1:
            assert f"{line} {words[1]}" in known, f"{line} {words[1]}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_document_names_exist(path: Path) -> None:
    for named, function in _PLACE.findall(path.read_text()):
        assert (ROOT / named).exists(), named
        if function:
            source = (ROOT / named).read_text()
            assert re.search(rf"(def|class) {function}\b", source), f"{named}: {function}"


def rows(heading: str) -> Iterator[list[str]]:
    """The table under a heading of the threat model, row by row, without what heads it."""
    section = (ROOT / "docs/threat-model.md").read_text().partition(f"\n## {heading}\n")[2]
    table = [line for line in section.partition("\n## ")[0].split("\n") if line.startswith("|")]
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in table[2:])


def test_every_measure_of_the_threat_model_names_a_test_that_exists() -> None:
    for threat, measure, shown in rows("Measures"):
        if not measure:  # the name of a group
            continue
        named = re.findall(r"`(tests/[\w/]+\.py)`", shown)
        assert named or shown.startswith("tried by hand"), threat
        assert all((ROOT / one).exists() for one in named), threat


def test_every_mutation_of_the_threat_model_names_a_test_that_exists() -> None:
    for attack, measure, caught in rows("What the tests were seen to catch"):
        named = re.findall(r"`((?:tests/(?:\w+/)?)?test_\w+\.py)`", caught)
        assert measure and named, attack
        for one in named:
            place = ROOT / one if "/" in one else ROOT / "tests/promises" / one
            assert place.exists(), f"{attack}: {one}"


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_language_of_a_report_is_named() -> None:
    said = re.search(r"`locale`\s((?:(?:, | or )?`\w+`)+)\)", (ROOT / "docs/api.md").read_text())

    assert said is not None
    assert set(re.findall(r"\w{2,}", said[1])) - {"or"} == set(languages())
