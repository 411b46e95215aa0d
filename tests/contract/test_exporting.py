"""`gateway audit export`, as it is typed: what goes together, and going on where it was cut off."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from audit.kinds import Kind
from audit.tables import audit_pending
from gateway.config import config
from storage.database import open_database
from tests.support import tables
from tests.support.commands import Run

BEGUN = re.compile(r'"export":"([0-9]+-[0-9a-f]{16})"')


async def told(folder: Path) -> list[str]:
    """The entries that tell of exports, as they were staged."""
    url = config.load(folder / "config.toml").storage.url
    async with open_database("data", url) as data, data.read() as connection:
        query = audit_pending.select().order_by(audit_pending.c.n)
        rows = (await connection.execute(query)).all()
    return [row.entry.decode() for row in rows if str(Kind.AUDIT_EXPORTED) in row.entry.decode()]


@pytest.mark.parametrize("form", ["bundle", "csv"])
@pytest.mark.usefixtures("initialised")
def test_a_command_that_was_cut_off_goes_on_with_the_same_bytes(
    run: Run, folder: Path, form: str
) -> None:
    whole, again = folder / "whole.zip", folder / "again.zip"
    export = ("audit", "export", "--format", form, "-o")
    assert run(*export, str(whole)).status == 0
    (name,) = (BEGUN.findall(one)[0] for one in asyncio.run(told(folder)))
    half = whole.read_bytes()[: whole.stat().st_size // 2]
    part = folder / f"again.zip.{name}.part"
    part.write_bytes(half + b"\0" * 100)

    other = run("audit", "export", "--format", "xlsx", "-o", str(again))
    done = run(*export, str(again))

    assert (other.status, f"{part} was begun by other options" in other.err) == (1, True)
    assert (done.status, again.read_bytes()) == (0, whole.read_bytes())
    assert not part.exists()
    first, second = asyncio.run(told(folder))
    assert '"from"' not in first
    assert f'"from":"{len(half) + 100}"' in second


TOGETHER = {
    ("--scope", "authority"): "needs the --case",
    ("--scope", "authority", "--case", "1", "--format", "pdf"): "take bundle, jsonl, csv or xlsx",
    ("--scope", "authority", "--subject-stdin", "--reason", "x"): "leave --scope out",
    ("--subject-stdin",): "needs a --reason",
    ("--subject-stdin", "--reason", "x", "--case", "1"): "is of all times",
    ("--reason", "x"): "nothing else does",
    ("--zone", "Europe/Berlin"): "which csv, xlsx and pdf have",
    ("--zone", "Atlantis/City", "--format", "csv"): "this machine knows",
    ("--locale", "de"): "say --format pdf",
    ("--locale", "tlh", "--format", "pdf"): "one of en, de, fr",
}


@pytest.mark.parametrize("dialect", ["sqlite"])  # nothing is opened
@pytest.mark.parametrize("options", TOGETHER, ids=" ".join)
def test_what_makes_no_sense_together_is_refused_with_what_does(
    run: Run, folder: Path, options: tuple[str, ...]
) -> None:
    done = run("audit", "export", "-o", str(folder / "out"), *options)

    assert done.status == 2
    words = re.sub(r"[\s│]+", " ", done.err)
    assert TOGETHER[options] in words
    assert not list(folder.glob("out*"))


@pytest.mark.parametrize("dialect", ["sqlite"])  # as over HTTP, which is tried on both
@pytest.mark.usefixtures("initialised")
def test_every_form_can_be_had(run: Run, folder: Path) -> None:
    for form in ("jsonl", "bundle", "csv", "xlsx", "pdf"):
        done = run("audit", "export", "--format", form, "-o", str(folder / form))
        assert done.status == 0, done.err
    for form in ("csv", "xlsx"):
        read = tables.of_csv if form == "csv" else tables.of_workbook
        assert read((folder / form).read_bytes())["events"][1][5] == "log.opened"
    assert (folder / "pdf").read_bytes().startswith(b"%PDF-")
    for form in ("jsonl", "bundle"):
        checked = run("audit", "verify", "--bundle", str(folder / form))
        assert checked.status == 0, checked.out
    period = folder / "period.jsonl"
    run("audit", "export", "--since", "2026-11-20T09:00:00Z", "-o", str(period))
    unproven = run("audit", "verify", "--bundle", str(period))
    assert (unproven.status, "a bundle of the same ones does" in unproven.out) == (1, True)
