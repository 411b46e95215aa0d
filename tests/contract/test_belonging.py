"""Commands under the keyring of another gateway: refused, not answered as if nobody were known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from consent.keys import tables
from gateway.cli import _program
from gateway.config import config
from gateway.keyfiles import keyring
from storage.database import open_database
from tests.contract.test_cli_erase import subject
from tests.support.apps import ADA
from tests.support.commands import Run

__all__ = ["subject"]  # a fixture

CASE = ("--case", "2026-17", "--reason", "a letter")
COMMANDS = [
    ("init",),
    ("erase", "--email-stdin", "--yes"),
    ("evidence", "open", *CASE),
    ("campaign", "list"),
    ("campaign", "create", "--purpose", "newsletter", "--content", "{folder}/june.json", "--yes"),
    ("campaign", "test", "--purpose", "newsletter", "--content", "{folder}/june.json"),
    ("campaign", "show", "cmp_x"),
    ("campaign", "pause", "cmp_x"),
    ("campaign", "resume", "cmp_x"),
    ("campaign", "cancel", "cmp_x"),
    ("campaign", "resend", "cmp_x", "--yes"),
    ("defend", "{folder}/mail.eml", "-o", "{folder}/letter.pdf"),
    ("breach", "--case", "INC-7", "--took", "data", "-o", "{folder}/breach.pdf"),
    ("erasures", "show", "era_x"),
    ("api-key", "create", "--name", "a", "--scope", "messages:send"),
    ("api-key", "list"),
    ("api-key", "revoke", "key_x"),
    ("operator", "create", "--role", "dpo"),
    ("operator", "list"),
    ("operator", "show", "opr_x", "--case", "2026-17"),
    ("operator", "revoke", "opr_x"),
    ("texts", "list"),
    ("texts", "declared"),
    ("texts", "declare", "sha256:" + "0" * 64, "--reason", "the same"),
    ("texts", "ask-again", "sha256:" + "0" * 64, "--yes"),
    ("texts", "retire", "sha256:" + "0" * 64, "--yes"),
    ("dkim", "rotate"),
    ("keys", "rotate"),
    ("keys", "rotate", "--kind", "rows"),
    ("audit", "keys"),
    ("audit", "evidence", "con_x", "--reason", "a letter", "-o", "{folder}/proof.json"),
    ("audit", "export", "--format", "jsonl", "-o", "{folder}/log.jsonl"),
    ("backup", "{folder}/backups"),
]
# Those that look at files, tables, numbers or a backup, or say what is wrong with the keyring;
# `serve` and `worker` ask as they start for the key that wraps.
OTHERS = {
    *[("audit", "verify"), ("audit", "recover"), ("db", "upgrade"), ("demo",), ("dkim", "show")],
    *[("doctor",), ("drill",), ("forms", "snippet"), ("keys", "status"), ("restore",), ("serve",)],
    *[("status",), ("template", "check"), ("template", "list"), ("template", "preview")],
    *[("template", "send-test"), ("worker",)],
}


@pytest.fixture
def foreign(folder: Path, subject: str) -> Path:
    """A gateway with somebody who agreed, and the keyring of another one in its place."""
    file = folder / "var/keyring.json"
    file.rename(folder / "own.json")
    keyring.create(file)
    return file


def test_no_command_works_under_the_keyring_of_another_gateway(
    run: Run, folder: Path, foreign: Path
) -> None:
    before = foreign.read_bytes()
    (folder / "june.json").write_text('{"subject": "June", "text": "Hello."}')
    (folder / "mail.eml").write_text("Subject: June\n\nHello.\n")

    for command in COMMANDS:
        tried = run(*(one.format(folder=folder) for one in command), stdin=ADA)

        assert (command, tried.status, tried.out) == (command, 1, "")
        assert f"{foreign} is not the keyring of these databases" in tried.err, command
    left = {path.name for path in folder.iterdir()}
    assert not left & {"breach.pdf", "letter.pdf", "log.jsonl", "proof.pdf"}
    assert [*(folder / "backups").glob("backup-*")] == []
    assert foreign.read_bytes() == before
    assert not [*(folder / "var/dkim").rglob("*.next")]


def test_every_command_is_tried_under_it_or_named() -> None:
    tried = {name for name in _names(_program()) for one in COMMANDS if one[: len(name)] == name}

    assert {*_names(_program())} == tried | OTHERS
    assert not tried & OTHERS


def _names(group: Any, *before: str) -> Iterator[tuple[str, ...]]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _names(one, *before, name)
        else:
            yield (*before, name)


@pytest.mark.usefixtures("initialised")
def test_with_its_own_keyring_it_is_as_before(run: Run, folder: Path, foreign: Path) -> None:
    (folder / "own.json").replace(foreign)

    assert run("init").err == "All there.\n"
    erased = run("erase", "--email-stdin", "--yes", stdin=ADA)

    assert erased.status == 0, erased.err


def test_an_older_keyring_is_told_from_another_gateway_s(
    run: Run, folder: Path, subject: str
) -> None:
    """The rows of epochs are signed by a key that neither has."""
    file = folder / "var/keyring.json"
    older = file.read_bytes()
    run("keys", "rotate", "--kind", "rows")
    file.rename(folder / "own.json")
    keyring.create(file)

    others = run("erase", "--email-stdin", "--yes", stdin=ADA)
    file.write_bytes(older)
    ours = run("erase", "--email-stdin", "--yes", stdin=ADA)

    assert (others.status, ours.status) == (1, 1)
    assert f"{file} is not the keyring of these databases" in others.err
    assert "newest" in ours.err
    assert "is not the keyring" not in ours.err


def test_who_writes_to_the_key_store_alone_keeps_nobody_from_erasing(
    run: Run, folder: Path, subject: str
) -> None:
    asyncio.run(_forge(config.load(folder / "config.toml").storage.keystore_url))

    erased = run("erase", "--email-stdin", "--yes", stdin=ADA)

    assert erased.status == 0, erased.err


async def _forge(url: str) -> None:
    async with open_database("key store", url) as keys, keys.begin() as connection:
        await connection.execute(sqlalchemy.update(tables.kek_epoch).values(mac=b"\x00" * 32))
