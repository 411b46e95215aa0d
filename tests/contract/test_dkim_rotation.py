"""The next DKIM key signs once DNS shows it; the one before stays until its mails are old."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.kinds import Kind
from gateway.cli.dkim_rotating import rotate
from gateway.config.config import Config
from gateway.keyfiles import dkim_keys, dkim_rotation
from gateway.keyfiles.dkim_rotation import OLD_AFTER, FollowedSigners
from tests.support.apps import App
from tests.support.commands import Run

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


def nothing(name: str) -> Sequence[str]:
    return []


def away(name: str) -> None:
    return None


def published(config: Config) -> dict[str, list[str]]:
    return {one.name: [one.value] for one in dkim_rotation.records_of_next(config)}


async def test_the_next_key_signs_once_dns_shows_it_and_not_before(app: App) -> None:
    config, signers = app.parts.config, app.parts.signers
    followed = FollowedSigners(config, signers)
    first = signers["acme"].selector

    for resolver in (nothing, away, lambda name: ["p=another"]):
        begun = await rotate(config, resolver, NOW)
        await followed.follow()
        assert (len(begun.active), len(begun.waiting)) == (0, 2)  # of two domains, made once
        assert signers["acme"].selector == first

    shown = published(config)
    rotated = await rotate(config, lambda name: shown.get(name, []), NOW)
    await followed.follow()

    assert {one.domain for one in rotated.active} == {"acme.example", "other.example"}
    assert signers["acme"].selector == rotated.active[0].record.selector != first
    await app.subscribe()
    (mail,) = await sent(app)
    assert f"s={signers['acme'].selector};".encode() in mail.replace(b"\r\n ", b"")
    async with app.parts.data.read() as connection:
        told = await app.parts.log.events(connection, kind=Kind.KEY_ROTATED)
    assert [one.entry.refs["kind"] for one in told] == ["dkim", "dkim"]


async def sent(app: App) -> list[bytes]:
    await app.sign_up("bob@example.org")
    return [mail.raw for mail in await app.deliver()]


async def test_only_the_domain_whose_record_is_there_goes_on(app: App) -> None:
    config = app.parts.config
    await rotate(config, nothing, NOW)
    mine = {name: value for name, value in published(config).items() if "acme" in name}

    rotated = await rotate(config, lambda name: mine.get(name, []), NOW)
    again = await rotate(config, lambda name: mine.get(name, []), NOW)

    assert [one.domain for one in rotated.active] == ["acme.example"]
    assert [one.domain for one in again.waiting] == ["other.example"]
    assert again.active == []


async def test_the_key_before_is_published_until_what_it_signed_is_old(app: App) -> None:
    config = app.parts.config
    before = dkim_keys.records(config)[0]
    await rotate(config, nothing, NOW)
    shown = published(config)
    await rotate(config, lambda name: shown.get(name, []), NOW)
    for path in config.keys.dkim_dir.rglob("*.pem"):
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))

    (kept, until), _ = dkim_rotation.records_before(config, NOW)
    assert (kept.name, until) == (before.name, NOW + OLD_AFTER)
    assert dkim_rotation.forget(config, NOW + OLD_AFTER - timedelta(seconds=1)) == []

    gone = dkim_rotation.forget(config, NOW + OLD_AFTER)

    assert before.name in {record.name for record in gone}
    assert dkim_rotation.records_before(config, NOW) == []
    assert len(list(config.keys.dkim_dir.rglob("*.pem"))) == 2


@pytest.mark.usefixtures("initialised")
def test_the_command_prints_what_to_publish_and_show_has_it_too(run: Run, folder: Path) -> None:
    (first,) = run("dkim", "show", "--json").json

    begun = run("dkim", "rotate")
    shown = run("dkim", "show", "--json").json

    assert "publish this, then run gateway dkim rotate again" in begun.out
    assert f"; asked DNS for TXT {shown[1]['name']}: " in begun.out
    assert [one["selector"] for one in shown] == [first["selector"], first["selector"] + "a"]
    assert shown[1]["name"] in begun.out
    files = list((folder / "var/dkim").rglob("*.next"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]


@pytest.mark.usefixtures("initialised")
def test_without_a_keyring_no_next_key_is_left_and_the_backup_is_named(
    run: Run, folder: Path
) -> None:
    keyring = folder / "var/keyring.json"
    keyring.rename(folder / "keyring.json")

    failed = run("dkim", "rotate")

    assert (failed.status, failed.out) == (1, "")
    assert f"there is no {keyring}: restore its backup; for a new gateway" in failed.err
    assert list((folder / "var/dkim").rglob("*.next")) == []
