"""`gateway template`, as the operator runs it, and what doctor and status say of templates."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from delivery import template_files
from gateway.config import config
from gateway.process.lifespan import mail_templates
from storage.clock import DatabaseClock
from tests.contract.test_cli_erase import subject
from tests.support.apps import ADA, start_app
from tests.support.commands import Run, levels
from tests.support.house import ROOT

__all__ = ["subject"]  # a fixture
EXAMPLE = ROOT / "docs" / "templates"


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_files, "SETTLED", 0.0)


@pytest.fixture
def own(folder: Path) -> Path:
    """The operator's directory, with the example of the documents."""
    file, directory = folder / "config.toml", folder / "own"
    raw = file.read_text()
    file.write_text(raw.replace('# directory = "templates"', 'directory = "own"'))
    shutil.copytree(EXAMPLE / "new-collection", directory / "new-collection")
    return directory


def broken(own: Path) -> Path:
    shutil.copytree(own / "new-collection", own / "broken")
    file = own / "broken" / "body.html"
    file.write_text("<p>one</p>\n{% include '/etc/passwd' %}\n")
    return file


def test_what_lies_there_is_listed_with_what_is_wrong(run: Run, own: Path) -> None:
    broken(own)

    listed = run("template", "list")
    rows = run("template", "list", "--json").json

    assert listed.status == 0
    assert "broken" in listed.out
    assert "body.html:2 takes something from elsewhere" in listed.out
    assert [(one["name"], len(one["flaws"])) for one in rows] == [
        ("broken", 1),
        ("new-collection", 0),
    ]
    assert rows[1]["version"].startswith("sha256:")


def test_one_is_checked_by_file_and_line(run: Run, own: Path) -> None:
    file = broken(own)

    good = run("template", "check", "new-collection")
    bad = run("template", "check", "broken")
    nowhere = run("template", "check", "nowhere")
    data = own.parent / "data.json"
    data.write_text(json.dumps({"collection": "x", "pieces": [], "first_nme": "Ada"}))
    misspelt = run("template", "check", "new-collection", "--data", str(data))

    assert good.status == 0, good.err
    assert "asks for collection" in good.out
    assert (bad.status, bad.out) == (1, "")
    assert bad.err.startswith(f"{file}:2: takes something from elsewhere")
    assert (nowhere.status, "gateway template list" in nowhere.err) == (1, True)
    assert "/content/data/first_nme is nothing that the template asks for" in misspelt.err
    assert "did you mean first_name?" in misspelt.err


def test_without_a_directory_it_says_what_to_do(run: Run, folder: Path, own: Path) -> None:
    shutil.rmtree(own)
    gone = run("template", "list")
    (folder / "config.toml").write_text(config.embedded_default())
    none = run("template", "check", "mail")

    assert (gone.status, none.status) == (1, 1)
    assert "own cannot be read: No such file or directory" in gone.err
    assert "[templates] directory" in gone.err
    assert "[templates] directory" in none.err


def test_a_preview_is_one_file_that_loads_nothing(run: Run, own: Path, folder: Path) -> None:
    with (own / "new-collection" / "body.html").open("a") as file:
        file.write('<img src="https://elsewhere.example/a.png" alt="A">')
    to = folder / "preview.html"
    data = str(EXAMPLE / "new-collection.json")

    done = run("template", "preview", "new-collection", "--data", data, "-o", str(to))

    page = to.read_text()
    assert (done.status, done.out) == (0, f"{to}\n"), done.err
    assert page.count("<iframe") == 4
    assert page.count('sandbox srcdoc="') == 4
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r'(?<!&#34;)\b(src|href)="http', page)
    assert "Autumn at home is in the shop:" in page
    assert "<script" not in page


def test_doctor_and_status_say_what_is_wrong_and_the_way_out(run: Run, own: Path) -> None:
    assert run("init").status == 0
    sound = run("doctor", "--json")
    file = broken(own)
    examined = run("doctor")
    status = run("status")
    shutil.rmtree(own)
    gone = run("doctor", "--json")

    assert levels(sound, "templates") == {"ok"}
    assert f"{file}:2: takes something from elsewhere" in examined.out
    assert "gateway template check NAME" in examined.out
    assert "TEMPLATES" in status.out
    assert str(file) in status.out
    assert levels(gone, "templates") == {"fail"}


@pytest.mark.usefixtures("subject")
def test_a_test_goes_to_an_operators_mailbox_alone_and_by_the_claim(
    run: Run, own: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.campaign._LOOKS", 1)  # no process runs that would send it
    send = ("template", "send-test", "new-collection")

    stranger = run(*send, stdin=ADA)
    run("operator", "create", "--role", "admin", stdin="grace@example.org")
    run("operator", "create", "--role", "dpo", stdin=ADA)
    disagreeing = run(*send, stdin="grace@example.org")
    agreed = run(*send, stdin=ADA)
    nobody = run(*send, stdin="nobody")

    assert "that is no operator's mailbox" in stranger.err
    assert "it may not be sent there: unknown" in disagreeing.err
    assert "is queued" in agreed.err
    assert "stdin has no address" in nobody.err
    assert ADA not in stranger.err + agreed.err
    assert asyncio.run(_mails(folder / "config.toml")) == [ADA]
    assert run("audit", "verify").status == 0
    assert mail_templates(config.load(folder / "config.toml")).own is not None


async def _mails(file: Path) -> list[str]:
    async with start_app(config.load(file), DatabaseClock()) as app:
        return [one.to for one in await app.send_due()]
