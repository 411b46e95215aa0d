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
from tests.support import bundles, tables
from tests.support.commands import Run

BEGUN = re.compile(r'"export":"([0-9]+-[0-9a-f]{16})"')


async def told(folder: Path) -> list[str]:
    """The entries that tell of exports, as they were staged."""
    url = config.load(folder / "config.toml").storage.url
    async with open_database("data", url) as data, data.read() as connection:
        query = audit_pending.select().order_by(audit_pending.c.n)
        rows = (await connection.execute(query)).all()
    return [row.entry.decode() for row in rows if str(Kind.AUDIT_EXPORTED) in row.entry.decode()]


@pytest.mark.parametrize(("form", "another"), [("bundle", "csv"), ("csv", "bundle")])
@pytest.mark.usefixtures("initialised")
def test_a_command_that_was_cut_off_goes_on_with_the_same_bytes(
    run: Run, folder: Path, form: str, another: str
) -> None:
    whole, again = folder / "whole.zip", folder / "again.zip"
    export = ("audit", "export", "--format", form, "-o")
    assert run(*export, str(whole)).status == 0
    (name,) = (BEGUN.findall(one)[0] for one in asyncio.run(told(folder)))
    half = whole.read_bytes()[: whole.stat().st_size // 2]
    part = folder / f"again.zip.{name}.part"
    part.write_bytes(half + b"\0" * 100)

    other = run("audit", "export", "--format", another, "-o", str(again))
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


NAMED = {
    ("audit", "export", "--format", "csv", "-o", "{}/log.csv"): "a zip of tables: call it log.zip",
    (
        "audit",
        "export",
        "-o",
        "{}/log.csv",
    ): "lines of JSON: call it log.jsonl; tables are --format",
    ("audit", "export", "--format", "pdf", "-o", "{}/log.ZIP"): "would be a PDF: call it log.pdf",
    (
        "audit",
        "export",
        "--format",
        "bundle",
        "-o",
        "{}/log.json",
    ): "would be a zip: call it log.zip",
    ("audit", "evidence", "con_1", "--reason", "x", "--format", "bundle", "-o", "{}/it.pdf"): (
        "would be a zip: call it it.zip"
    ),
    ("drill", "-o", "{}/drill.pdf"): "would be a page: call it drill.html",
    ("template", "preview", "one", "-o", "{}/one.pdf"): "would be a page: call it one.html",
}


@pytest.mark.parametrize("dialect", ["sqlite"])  # nothing is opened
@pytest.mark.parametrize("typed", NAMED, ids=lambda words: " ".join(words[:3]))
def test_a_file_is_not_called_by_the_name_of_another_form(
    run: Run, folder: Path, typed: tuple[str, ...]
) -> None:
    """The program that is opened for its name would find it broken."""
    before = sorted(folder.iterdir())

    done = run(*(word.format(folder) for word in typed))

    assert done.status == 2
    assert NAMED[typed] in re.sub(r"[\s│]+", " ", done.err)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("dialect", ["sqlite"])  # what is checked is a file
@pytest.mark.usefixtures("initialised")
def test_what_is_no_bundle_is_called_what_it_is_by_both_verifiers(run: Run, folder: Path) -> None:
    """Whoever was given another file would look for who took something out of theirs."""
    given = {"csv": "tables", "xlsx": "workbook", "pdf": "PDF", "bundle": "", "jsonl": ""}
    for form in given:
        assert run("audit", "export", "--format", form, "-o", str(folder / form)).status == 0
    good = (folder / "bundle").read_bytes()
    others = {
        "empty": (b"", "is empty"),
        "json": (b'{"consent_id": "con_1"}', "is JSON, and no zip"),
        "text": (b"Dear Sir or Madam", "is no zip"),
        "half": (good[: len(good) // 2], "cut off"),
        "other": (bundles.zipped({"letter.txt": b"Hello."}), "no bundle of a log"),
        "none": (bundles.zipped({}), "no bundle of a log"),
    }
    for name, (raw, says) in others.items():
        (folder / name).write_bytes(raw)
        given[name] = says
    keys = run("audit", "keys").out
    verdicts = {}

    for name, says in given.items():
        ours = run("audit", "verify", "--bundle", str(folder / name))
        alone, said = bundles.check_alone(folder / name, keys, script=folder / "bundle")
        verdicts[name] = alone, said
        if name not in ("bundle", "jsonl"):
            assert (ours.status, ours.out) == (1, said), name
            assert ours.out.startswith("FAILED: the file: ")
            assert says in ours.out
            assert "--format bundle" in ours.out or says == "cut off"
        else:
            assert ours.status == 0, name
    assert verdicts["bundle"][0] == 0
    assert "is an export as lines" in verdicts["jsonl"][1]
    unpacked = run("audit", "verify", "--bundle", str(folder))
    assert (unpacked.status, "Is a directory; give --bundle" in unpacked.err) == (1, True)
    assert (
        "is a folder: give the zip"
        in bundles.check_alone(folder, keys, script=folder / "bundle")[1]
    )


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
