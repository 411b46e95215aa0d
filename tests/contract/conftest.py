"""A gateway that is not made yet, and its commands, on SQLite and again on PostgreSQL."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from consent.keys import tables
from consent.keys.keystore import KeyStore
from gateway.cli import main
from gateway.config import config
from storage.database import Database
from tests.support import forking
from tests.support.commands import Ran, Run
from tests.support.databases import Databases, Urls, copy_initialised
from tests.support.gateways import environment
from tests.support.keys import KEKS, Stopwatch
from tests.support.rows import ROWS

_HERE = Path(__file__).parents[2]


@pytest.fixture
def folder(dialect: str, new_database_url: Callable[[str], str], tmp_path: Path) -> Path:
    """A folder with a configuration whose databases are new and empty."""
    _configure(tmp_path, (new_database_url(dialect), new_database_url(dialect)))
    return tmp_path


@pytest.fixture
async def initialised(folder: Path, dialect: str, new_database_url: Databases) -> None:
    """What `gateway init` made for such a folder, copied: it takes a second of a processor."""
    urls = await copy_initialised(_init, folder, new_database_url, dialect)
    _configure(folder, urls)


async def _init(directory: Path, urls: Urls) -> None:
    _configure(directory, urls)
    command = ["--config", str(directory / "config.toml"), "init"]
    done = await asyncio.to_thread(forking.run, command, _HERE, environment())
    assert done.returncode == 0, done.stderr


def _configure(directory: Path, urls: Urls) -> None:
    raw = config.embedded_default()
    for name, url in zip(("gateway", "keystore"), urls, strict=True):
        raw = raw.replace(f"sqlite:///var/{name}.db", url)
    (directory / "config.toml").write_text(raw)


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
