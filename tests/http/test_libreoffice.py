"""Tables of an export in LibreOffice, which shares no code with us: nothing in them is reckoned."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from audit.export.csv_files import CsvFiles
from audit.export.guard import guarded
from audit.export.workbook import Workbook
from tests.unit.test_sheets import HOSTILE, README, SAFE, written

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(shutil.which("soffice") is None, reason="no libreoffice-calc-nogui"),
]

MORE = ["+1+1", "-1", "@SUM(1)", "a;=1+1", "01067", "4915112345678901234", "1-2", "TRUE", "1/2"]
CELLS = [*(one for one in [*HOSTILE, *MORE, *SAFE] if one and "\0" not in one and "\r" not in one)]
# Commas, semicolons or tabs part cells, quotes are quotes, UTF-8, and formulas are reckoned.
OPENED = "CSV:{parting},34,UTF8,1,,0,false,true,false,false,false,-1,true"
AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,UTF8,1,,0,true,true,false,false,false,-1"


def converted(folder: Path, source: Path, to: str, *options: str) -> Path:
    """What LibreOffice makes of a file; the last one, where sheets become files."""
    out = folder / to.partition(":")[0]
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", *options, "--convert-to", to]
    done = subprocess.run(
        [*command, "--outdir", str(out), str(source)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sorted(out.iterdir())[-1]


def formulas(document: Path) -> int:
    return document.read_text("utf-8").count("table:formula")


async def test_a_workbook_opens_with_every_value_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "audit.xlsx"
    source.write_bytes(await written(Workbook(README), [(one, "x") for one in CELLS]))

    document = converted(tmp_path, source, "fods")
    events = converted(tmp_path, source, AS_CSV)  # each sheet a file, and this the last

    assert formulas(document) == 0
    read = list(csv.reader(io.StringIO(events.read_bytes().decode("utf-8-sig"), newline="")))
    assert [row[0] for row in read] == ["a", *CELLS]


@pytest.mark.parametrize("parting", ["44", "44/59/9"], ids=["comma", "whatever may part cells"])
async def test_csv_opens_without_a_formula(tmp_path: Path, parting: str) -> None:
    raw = await written(CsvFiles(README), [(one, "x") for one in CELLS])
    source, naked = tmp_path / "audit.csv", tmp_path / "naked.csv"
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        source.write_bytes(opened.read("events.csv"))
    naked.write_text('"=1+1"\r\n')
    opens = f"--infilter={OPENED.format(parting=parting)}"

    reckoned = formulas(converted(tmp_path, naked, "fods", opens))
    (tmp_path / "fods" / "naked.fods").unlink()
    document = converted(tmp_path, source, "fods", opens)

    assert reckoned == 1, "it would reckon"
    assert formulas(document) == 0
    shown = document.read_text("utf-8").replace("&apos;", "'")
    assert all(guarded(one) in shown for one in ("=HYPERLINK", "＝1+1", "+1+1", "-1", "@SUM(1)"))
