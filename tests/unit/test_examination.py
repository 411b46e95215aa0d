"""The doctor's judgements, one by one, without asking the network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consent.keys.verified import VerifiedBackup
from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.keyfiles import dkim_keys, keyring
from gateway.watch import about_dns, about_keys, examination
from gateway.watch.findings import Finding, Level
from storage.clock import DatabaseClock

GOOD_PAGES = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
QUIET = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "0",
    "archive_mode": "on",
}
GOOD = GOOD_PAGES | QUIET


def config(directory: Path, *changes: tuple[str, str]) -> Config:
    raw = configuration.embedded_default()
    for old, new in changes:
        assert old in raw
        raw = raw.replace(old, new, 1)
    return configuration.parse(raw, base=directory)


def levels(found: Sequence[Finding]) -> list[str]:
    return [one.level for one in found]


def worst(found: Sequence[Finding]) -> Level:
    order = [Level.OK, Level.WARN, Level.FAIL]
    return max((one.level for one in found), key=order.index)


RELAYED = ('transport = "inbox"', 'transport = "relay"')
OWN_RELAY = ('processor = "relay"', 'processor = "none"')


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://mail.acme.example", Level.OK),
        ("http://localhost:8080", Level.WARN),
        ("http://mail.acme.example", Level.FAIL),
    ],
)
def test_links_must_be_https_where_people_follow_them(
    tmp_path: Path, url: str, expected: Level
) -> None:
    changed = config(tmp_path, ('public_url = "http://localhost:8080"', f'public_url = "{url}"'))

    assert worst(list(examination.about_address(changed))) is expected


def test_a_proxy_that_is_not_trusted_makes_all_visitors_one(tmp_path: Path) -> None:
    changed = config(tmp_path, ('listen = "127.0.0.1:8080"', 'listen = "0.0.0.0:8080"'))

    assert "trusted_proxies" in [one.about for one in examination.about_address(changed)]


@pytest.mark.parametrize(
    ("place", "told"), [("127.0.0.1:9180", False), ("off", False), ("0.0.0.0:9180", True)]
)
def test_numbers_that_the_network_can_ask_for_are_told(
    tmp_path: Path, place: str, told: bool
) -> None:
    changed = config(tmp_path, ('"127.0.0.1:9180"', f'"{place}"'))

    abouts = [one.about for one in examination.about_address(changed)]
    assert ("admin_listen" in abouts) is told


def test_a_keyring_that_others_may_read_fails(tmp_path: Path) -> None:
    given = config(tmp_path)
    keyring.create(given.keys.keyring_file)
    assert worst(list(examination.about_keyring(given))) is Level.OK

    given.keys.keyring_file.chmod(0o640)

    assert worst(list(examination.about_keyring(given))) is Level.FAIL


def test_a_folder_that_others_may_write_to_fails(tmp_path: Path) -> None:
    given = config(tmp_path)
    keyring.create(given.keys.keyring_file)

    given.keys.keyring_file.parent.chmod(0o777)

    assert worst(list(examination.about_keyring(given))) is Level.FAIL


def test_a_database_or_a_mail_that_others_may_read_fails_by_name(tmp_path: Path) -> None:
    given = config(tmp_path)
    mails = given.delivery.inbox.folder
    mails.mkdir(parents=True, mode=0o700)
    made = [tmp_path / "var" / "gateway.db-wal", mails / "mail_1.eml"]
    for one in made:
        one.touch(0o600)
    assert levels(list(examination.about_data_files(given))) == ["ok"]

    for one in made:
        one.chmod(0o604)

    found = list(examination.about_data_files(given))
    assert [one.fix for one in found] == [f"chmod go-rwx {one}" for one in made]
    assert worst(found) is Level.FAIL


def test_a_keyring_that_is_not_there_fails_and_says_what_to_do(tmp_path: Path) -> None:
    (found,) = examination.about_keyring(config(tmp_path))

    assert (found.level, "backup" in found.fix) == (Level.FAIL, True)


def test_dns_is_compared_with_the_key_that_signs(tmp_path: Path) -> None:
    given = config(tmp_path, RELAYED, OWN_RELAY)
    dkim_keys.create_missing(given, DatabaseClock().wall())
    (record,) = dkim_keys.records(given)
    answers = {
        "published": [record.value],
        "another": ["v=DKIM1; k=rsa; p=AAAA"],
        "missing": [],
        "offline": None,
    }

    found = {name: worst(dkim_levels(given, said)) for name, said in answers.items()}

    assert found == {
        "published": Level.OK,
        "another": Level.FAIL,
        "missing": Level.FAIL,
        "offline": Level.WARN,
    }


def dkim_levels(given: Config, said: Sequence[str] | None) -> list[Finding]:
    return list(about_dns.about_dkim(given, lambda name: said))


def test_what_lies_together_is_told(tmp_path: Path) -> None:
    together = config(tmp_path)
    apart = config(
        tmp_path,
        ("sqlite:///var/keystore.db", "sqlite:///keys/keystore.db"),
        ('# guard_url = "sqlite:///guard/guard.db"', 'guard_url = "sqlite:///guard/guard.db"'),
    )

    assert levels(list(examination.about_places(together))) == ["warn", "warn"]
    assert levels(list(examination.about_places(apart))) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(0.5, Level.OK), (-2.0, Level.WARN), (40.0, Level.FAIL), (-40.0, Level.FAIL)],
)
def test_clocks_that_differ_are_told(ahead: float, expected: Level) -> None:
    assert examination.about_clock("data", timedelta(seconds=ahead)).level is expected


def test_a_well_set_postgresql_is_only_looked_at() -> None:
    assert levels(list(examination.about_postgresql("data", GOOD))) == ["ok"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"fsync": "off"}, Level.FAIL, id="fsync"),
        pytest.param({"full_page_writes": "off"}, Level.FAIL, id="torn pages"),
        pytest.param({"synchronous_commit": "off"}, Level.FAIL, id="commit"),
        pytest.param({"log_statement": "all"}, Level.WARN, id="statements"),
        pytest.param({"log_min_duration_statement": "100"}, Level.WARN, id="slow statements"),
        pytest.param({"log_parameter_max_length_on_error": "-1"}, Level.WARN, id="errors"),
        pytest.param({"archive_mode": "off"}, Level.WARN, id="archive"),
    ],
)
def test_each_setting_that_loses_or_leaks_is_told(change: dict[str, str], expected: Level) -> None:
    assert worst(list(examination.about_postgresql("data", GOOD | change))) is expected


def test_statements_without_their_parameters_may_be_logged() -> None:
    settings = GOOD | {"log_statement": "all", "log_parameter_max_length": "0"}

    assert levels(list(examination.about_postgresql("data", settings))) == ["ok"]


def test_a_sqlite_that_does_not_keep_to_what_we_set_fails() -> None:
    kept = {"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1"}

    assert examination.about_sqlite("data", kept).level is Level.OK
    assert examination.about_sqlite("data", kept | {"journal_mode": "delete"}).level is Level.FAIL


PROCESSOR = """[processors.relay]
name = "Mail Relay GmbH"
role = {role}
country = "DE"

[purposes.newsletter] """
IN_BOTH = '{ en = "hands over our mails", de = "übergibt unsere E-Mails" }'


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([], [Level.OK], id="nothing leaves the machine"),
        pytest.param([RELAYED, OWN_RELAY], [Level.OK, Level.WARN], id="nobody is named"),
        pytest.param(
            [RELAYED, ("[purposes.newsletter] ", PROCESSOR.replace("{role}", IN_BOTH))],
            [Level.OK],
            id="a processor",
        ),
        pytest.param(
            [RELAYED, ("[purposes.newsletter] ", PROCESSOR.replace("{role}", '"sends"'))],
            [Level.OK, Level.WARN],
            id="one line for two languages",
        ),
    ],
)
def test_the_doctor_reads_the_notice(
    changes: list[tuple[str, str]], expected: list[Level], tmp_path: Path
) -> None:
    found = list(examination.about_notice(config(tmp_path, *changes)))

    assert levels(found) == expected
    assert {one.about for one in found} == {"notice"}


def test_a_notice_that_no_start_would_publish_fails(tmp_path: Path) -> None:
    (tmp_path / "notice.en.md").write_text("# Ours\nAcme GmbH", encoding="utf-8")
    own = (
        '# notice = { en = "notice.en.md", de = "notice.de.md" }',
        'notice = { en = "notice.en.md" }',
    )

    found = list(examination.about_notice(config(tmp_path, own)))

    assert {one.level for one in found} == {Level.FAIL}
    assert 'controller.notice.en: does not name the contact: "privacy@acme.example"' in [
        one.text for one in found
    ]


@pytest.mark.parametrize(
    ("free", "expected"),
    [(2 << 30, Level.OK), (1 << 29, Level.WARN), (1 << 20, Level.FAIL)],
    ids=["room", "little", "none"],
)
def test_a_disk_that_fills_is_told_before_it_is_full(
    tmp_path: Path, free: int, expected: Level
) -> None:
    assert examination.about_space(tmp_path, free).level is expected


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o700, Level.OK), (0o777, Level.WARN)], ids=["ours", "everybody's"]
)
def test_a_journal_that_others_may_write_is_told(
    tmp_path: Path, mode: int, expected: Level
) -> None:
    given = config(tmp_path)
    given.delivery.journal_dir.mkdir(parents=True)
    given.delivery.journal_dir.chmod(mode)

    (found,) = (one for one in examination.about_disk(given) if one.about == "journal_dir")

    assert found.level is expected


@pytest.mark.parametrize(
    ("hours", "expected"), [(2, Level.OK), (30, Level.WARN)], ids=["of today", "old"]
)
def test_how_old_the_newest_verified_backup_is_is_told(hours: int, expected: Level) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    newest = VerifiedBackup("bak_1", now - timedelta(hours=hours), now, {}, frozenset())

    found = about_keys.about_backup(newest, now)

    assert (found.level, f"{hours} hours old" in found.text) == (expected, True)
    assert about_keys.about_backup(None, now).level is Level.WARN
