"""A gateway that is not made yet, and its commands, on SQLite and again on PostgreSQL."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from consent.keys import tables
from consent.keys.keystore import KeyStore
from gateway.cli import main
from gateway.config import config
from storage.database import Database
from tests.support.commands import Ran, Run
from tests.support.keys import KEKS, Stopwatch
from tests.support.rows import ROWS


@pytest.fixture
def folder(dialect: str, new_database_url: Callable[[str], str], tmp_path: Path) -> Path:
    """A folder with a configuration whose databases are new and empty."""
    raw = config.embedded_default()
    for name in ("gateway", "keystore"):
        raw = raw.replace(f"sqlite:///var/{name}.db", new_database_url(dialect))
    (tmp_path / "config.toml").write_text(raw)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def command(*arguments: str, stdin: str | None = None) -> Ran:
        if stdin is not None:
            monkeypatch.setattr("sys.stdin", io.StringIO(f"{stdin}\n"))
        with pytest.raises(SystemExit) as exited:
            main([*arguments, "--config", str(folder / "config.toml")])
        captured = capsys.readouterr()
        return Ran(int(exited.value.code or 0), captured.out, captured.err)

    return command


@pytest.fixture
async def key_tables(keystore: Database) -> None:
    async with keystore.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def store(keystore: Database, key_tables: None, stopwatch: Stopwatch) -> KeyStore:
    return KeyStore(keystore, KEKS, 2, ROWS, monotonic=stopwatch)
