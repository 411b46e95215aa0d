"""`gateway init`, on both databases: once, and never over what is there."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from gateway.config import config
from gateway.keyfiles import keyring
from tests.support import forking
from tests.support.commands import Run, levels
from tests.support.databases import Databases
from tests.support.gateways import environment

ROOT = Path(__file__).parents[2]


def test_init_makes_everything_and_repeating_it_makes_nothing(run: Run, folder: Path) -> None:
    first = run("init")
    made = keyring.load(folder / "var/keyring.json")
    second = run("init")

    assert (first.status, second.status) == (0, 0)
    assert first.err.count("made: ") == 7
    assert "made: " not in second.err
    assert keyring.load(folder / "var/keyring.json") == made


@pytest.mark.usefixtures("initialised")
def test_a_copy_for_other_tests_lacks_nothing_that_it_makes(run: Run, folder: Path) -> None:
    again, verified = run("init"), run("audit", "verify")

    assert again.err == "All there.\n"
    assert verified.status == 0
    files = [folder / "var/keyring.json", *(folder / "var/dkim").rglob("*.pem")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]


def test_keys_on_disk_are_the_owners_alone(run: Run, folder: Path) -> None:
    run("init")

    files = [folder / "var/keyring.json", *(folder / "var/dkim").rglob("*.pem")]

    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_lost_keyring_is_not_replaced_by_a_new_one(run: Run, folder: Path) -> None:
    run("init")
    (folder / "var/keyring.json").unlink()

    again = run("init")

    assert again.status == 1
    assert "restore its backup" in again.err
    assert not (folder / "var/keyring.json").exists()


@pytest.mark.parametrize("upgraded", [False, True], ids=["no tables", "tables without a row"])
@pytest.mark.parametrize("lost", ["data", "keystore"])
def test_beside_the_guard_of_a_gateway_that_lived_nothing_is_made(
    run: Run, folder: Path, new_database_url: Databases, dialect: str, lost: str, upgraded: bool
) -> None:
    """A log that begins anew there is older than its guard: it would be taken for a backup.

    Nor does another command write there: a row would pass for what was lost.
    """
    file = folder / "config.toml"
    settings = config.load(file)
    guard = new_database_url(dialect)
    raw = with_guard(file.read_text(), guard)
    file.write_text(raw)
    run("init")
    urls = {"data": settings.storage.url, "keystore": settings.storage.keystore_url}
    file.write_text(raw.replace(urls[lost], new_database_url(dialect)))

    if upgraded:
        run("db", "upgrade")
    refused = [
        run("status"),
        run("api-key", "create", "--name", "crm", "--scope", "changes:read"),
        run("operator", "create", "--role", "dpo", stdin="grace@example.org"),
        run("backup", str(folder / "backups")),
    ]
    again = run("init")

    assert (again.status, "made: " in again.err) == (1, False)
    assert f"there is nothing in {lost}, but the guard holds" in again.err
    assert "`gateway restore DIR`" in again.err
    said = f"there is nothing in {lost}: `gateway init` makes"
    assert [(one.status, said in one.err) for one in refused] == [(1, True)] * 4, refused


def test_beside_the_keys_of_a_gateway_whose_log_is_lost_nothing_is_made(
    run: Run, folder: Path, new_database_url: Databases, dialect: str
) -> None:
    """Under the keyring that signed the old one, two logs of one name would convict us."""
    file = folder / "config.toml"
    settings, raw = config.load(file), file.read_text()
    file.write_text(with_guard(raw, new_database_url(dialect)))
    run("init")
    run("operator", "create", "--role", "dpo", stdin="grace@example.org")
    raw = raw.replace(settings.storage.url, new_database_url(dialect))
    file.write_text(with_guard(raw, new_database_url(dialect)))

    again = run("init")

    assert (again.status, "made: " in again.err) == (1, False)
    assert "there is nothing in data, but the key store holds keys" in again.err


def with_guard(raw: str, url: str) -> str:
    return raw.replace("[audit]\n", f'[audit]\nguard_url = "{url}"\n')


def test_tables_that_were_made_before_it_are_in_nobodys_way(run: Run) -> None:
    """No keyring was ever made, so none of them was written with one."""
    upgraded, before = run("db", "upgrade"), run("doctor", "--json")
    made = run("init")

    assert (upgraded.status, made.status) == (0, 0), made.err
    assert "made: keyring" in made.err
    assert "fail" in levels(before, "data") & levels(before, "keystore")
    assert run("audit", "verify").status == 0


def test_init_that_stopped_half_way_is_continued(run: Run, folder: Path) -> None:
    keyring.create(folder / "var/keyring.json")

    assert run("init").status == 0
    assert run("api-key", "list").status == 0


@pytest.mark.parametrize(
    "words",
    [
        "INSERT INTO kek_epoch",
        "INSERT INTO audit_guard",
        "INSERT INTO audit_p",
        "UPDATE audit_guard",
    ],
)
def test_init_that_was_killed_is_continued(run: Run, folder: Path, words: str) -> None:
    """Also where the guard was made already, which alone is no gateway that lived."""
    command = [f"before:{words}", "--config", str(folder / "config.toml"), "init"]
    killed = forking.run(command, ROOT, environment(), module="tests.support.killed")

    assert killed.returncode == -signal.SIGKILL
    assert run("init").status == 0
    assert run("audit", "verify").status == 0


def test_in_an_empty_folder_it_writes_a_configuration_and_then_all_the_rest(
    run: Run, folder: Path
) -> None:
    (folder / "config.toml").unlink()

    first = run("init")
    written = (folder / "config.toml").read_text()
    second = run("init")

    assert (first.status, first.err.count("made: ")) == (0, 1)
    assert written == config.embedded_default()
    assert (second.status, (folder / "var/keyring.json").exists()) == (0, True)


def test_where_something_is_it_writes_no_configuration(run: Run, folder: Path) -> None:
    (folder / "config.toml").rename(folder / "gateway.toml")

    refused = run("init")

    assert refused.status == 1
    assert "name yours by --config" in refused.err
    assert [one.name for one in folder.iterdir()] == ["gateway.toml"]
