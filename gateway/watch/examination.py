"""What `gateway doctor` looks at. Each examination reads, and changes nothing.

A finding says what is, and where it is not well, what to do about it. Where DNS
cannot be asked, that is said to be unknown.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.dkim_rotation import Resolver
from gateway.keyfiles.keyring import Adoption
from gateway.look import notices, uncatalogued
from gateway.schema import database_schema
from gateway.schema.database_schema import GUARD, Standing
from gateway.watch import (
    about_dns,
    about_keys,
    about_ports,
    about_provider,
    about_relay,
    posted,
    rights,
    stuck,
    templates,
    verification,
    webhooks,
    wordings,
)
from gateway.watch.findings import Finding, Level, fail, ok, warn
from storage import files
from storage.clock import DatabaseClock
from storage.database import Database, open_database, sqlite_files
from storage.errors import StorageAway
from storage.refusals import way_out

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_GIB = 1 << 30
_SKEW = timedelta(seconds=1)
_OUT_OF_STEP = timedelta(seconds=30)
_MADE_OR_PUT_BACK = "run `gateway init` if it is new; if it was lost, `gateway restore DIR`"
_SETTINGS = {"data": "storage.url", "keystore": "storage.keystore_url", "guard": "audit.guard_url"}


async def examine(config: Config, resolver: Resolver) -> list[Finding]:
    """Look at everything that this machine can see."""
    found = [
        ok("configuration", "is well-formed"),
        *about_address(config),
        *await about_relay.about(config),
        *about_languages(config),
        *await about_provider.about(config),
        *about_notice(config),
        *rights.about_calendar(config),
        *templates.about(config),
        *about_keyring(config),
        *about_data_files(config),
        *about_dns.about_dkim(config, resolver),
        *about_dns.about_policies(config, resolver),
        *await about_ports.about(config),
        *about_places(config),
        *about_disk(config),
    ]
    return found + [finding async for finding in about_databases(config)]


def about_address(config: Config) -> Iterator[Finding]:
    """Every link in every mail begins with the public URL."""
    url = urlsplit(config.server.public_url)
    if url.scheme == "https":
        yield ok("public_url", "is https")
    elif url.hostname in _LOOPBACK:
        yield warn(
            "public_url",
            "leads to this machine only; links in mails work nowhere else",
            "set server.public_url to the https address of the proxy before real people use it",
        )
    else:
        yield fail(
            "public_url",
            "is plain http: tokens in links travel in clear",
            "put a TLS proxy in front and set server.public_url to https://…",
        )
    if config.server.listen.host not in _LOOPBACK and not config.server.trusted_proxies:
        yield warn(
            "trusted_proxies",
            "is empty while we listen on the network: behind a proxy all visitors look like one",
            "name the proxy's network in server.trusted_proxies, or listen on 127.0.0.1",
        )
    admin = config.server.admin_listen
    if admin is not None and admin.host not in _LOOPBACK:
        yield warn(
            "admin_listen",
            f"answers whoever reaches {admin.host}: metrics move with what single people do",
            "let only your Prometheus reach it, or listen on 127.0.0.1",
        )


def about_languages(config: Config) -> Iterator[Finding]:
    """What a start refuses: pages would show two languages at once."""
    way_out = "take its texts out, or add its catalogue: docs/landing-pages.md, Languages"
    found = [fail("languages", one, way_out) for one in uncatalogued.problems(config)]
    yield from found or [ok("languages", f"have a catalogue each: {', '.join(config.locales)}")]


def about_notice(config: Config) -> Iterator[Finding]:
    """What a start refuses, and who may have been forgotten."""
    if found := notices.problems(config):
        for problem in found:
            yield fail("notice", problem, "see docs/operations.md, Privacy notice")
    else:
        yield ok("notice", "says nothing that the gateway does not do")
    if config.delivery.transport == "relay" and not config.processors:
        said = "names nobody who handles the data for you"
        yield warn("notice", said, "name who runs the servers and keeps backups: [processors.…]")
    several = len(config.locales) > 1
    for name, one in sorted(config.processors.items()):
        if several and "" in {*one.role, *(one.safeguard or {})}:
            said = f"says the same of processors.{name} in {' and '.join(config.locales)}"
            yield warn("notice", said, "write a line for each language: { en = …, de = … }")


def about_keyring(config: Config) -> Iterator[Finding]:
    path = config.keys.keyring
    try:
        ring = keyring.load(path)
    except KeyFileError as error:
        yield fail("keyring", error.what, error.way_out)
        return
    if ring.adoption is not Adoption.DONE:
        begun = ring.adoption is Adoption.BEGUN
        what = "has rows that are not signed yet" if begun else "is of the first release"
        yield fail("keyring", f"{path} {what}", "run `gateway db upgrade`")
    else:
        yield ok("keyring", f"{path}: epochs {', '.join(map(str, sorted(ring.keks)))}")
    ours = [path] if isinstance(path, Path) and not _mounted(path) else []
    yield from _about_modes("key files", [*ours, *config.keys.dkim_dir.rglob("*.pem")])


def _mounted(path: Path) -> bool:
    """Whether somebody else keeps a file for us, as a secret that is mounted."""
    return path.stat().st_uid != os.geteuid()


def about_data_files(config: Config) -> Iterator[Finding]:
    """A process takes them from others when it starts, where they are its own."""
    found = [one for url in _urls(config) for one in sqlite_files(url)]
    if config.delivery.transport == "inbox":
        found += config.delivery.inbox.folder.glob("*.eml")
    yield from _about_modes("data files", found)


def _about_modes(about: str, paths: Sequence[Path]) -> Iterator[Finding]:
    loose = files.loose(paths)
    for one in loose:
        yield fail(about, f"{one} is open to other users", f"chmod go-rwx {one}")
    if not loose:
        yield ok(about, "are the owner's alone")


def about_places(config: Config) -> Iterator[Finding]:
    """What lies together is lost, or restored, together."""
    data, keys, guard = map(_place, _urls(config))
    if data == keys:
        yield warn(
            "backups",
            f"data and key store lie in one place ({data}): one backup may hold both",
            "back them up apart, or an erased person comes back with the backup",
        )
    else:
        yield ok("backups", "data and key store lie apart")
    if config.guard_url == config.storage.keystore_url:
        yield warn(
            "guard",
            "lies with the key store: a joint restore of both databases is not noticed",
            "give it a place of its own: audit.guard_url",
        )
    elif guard == data:
        yield warn("guard", "lies where the data lies", "move it to another machine or volume")
    else:
        yield ok("guard", "has a place of its own")


def _urls(config: Config) -> tuple[str, str, str]:
    return config.storage.url, config.storage.keystore_url, config.guard_url


def _place(url: str) -> str:
    """The server, or the folder, that a database lies on; no password is in it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(Path(str(parsed.database)).parent)
    return f"{parsed.host or parsed.query.get('host', 'local')}:{parsed.port or 5432}"


def about_disk(config: Config) -> Iterator[Finding]:
    journal = config.delivery.journal_dir
    there = _nearest(journal)
    if not os.access(there, os.W_OK | os.X_OK):
        fix = f"let the gateway's user write to {there}"
        yield fail("journal_dir", f"{journal} cannot be written", fix)
    elif journal.is_dir() and os.name == "posix" and stat.S_IMODE(journal.stat().st_mode) & 0o022:
        yield warn("journal_dir", f"{journal} is open to other users", f"chmod go-w {journal}")
    else:
        yield ok("journal_dir", f"{journal} can be written")
    for folder in sorted({_nearest(place) for place in [journal, *_sqlite_folders(config)]}):
        yield about_space(folder, shutil.disk_usage(folder).free)


def about_space(folder: Path, free: int) -> Finding:
    """Whether so many bytes are enough."""
    said = f"{free / _GIB:.1f} GiB free at {folder}"
    if free < _GIB // 5:
        return fail("disk", said, "make room: without it nothing can be accepted")
    return ok("disk", said) if free >= _GIB else warn("disk", said, "make room soon")


def _sqlite_folders(config: Config) -> Iterator[Path]:
    for url in _urls(config):
        yield from {one.parent for one in sqlite_files(url)}


def _nearest(path: Path) -> Path:
    """The folder itself, or the first one above it that exists."""
    return next(one for one in (path, *path.absolute().parents) if one.is_dir())


async def about_databases(config: Config) -> AsyncIterator[Finding]:
    for name, url in zip(("data", "keystore", "guard"), _urls(config), strict=True):
        if missing := _missing_file(url):
            yield fail(name, f"there is no {missing}", _MADE_OR_PUT_BACK)
            continue
        async with open_database(name, url, connections=1) as database:
            try:
                schema = await _about_schema(database, name)
                yield schema
                if schema.level is Level.OK:
                    for finding in await _about_rows(config, database, name):
                        yield finding
                if name != "guard" or url != config.storage.keystore_url:
                    async for finding in _about_settings(database, name):
                        yield finding
            except StorageAway as away:
                said = "the database cannot be used" + (f": {away.why}" if away.why else "")
                yield fail(name, said, f"{way_out(away.why)}, or mend its URL ({_SETTINGS[name]})")


async def _about_rows(config: Config, database: Database, name: str) -> list[Finding]:
    keys = await about_keys.about(config, name, database)
    if name == "guard":
        return [*keys, *await verification.about(config, database)]
    if name != "data":
        return keys
    waiting = [*await stuck.about(database), *await rights.about(database)]
    waiting += await webhooks.about(database, config.webhooks)
    waiting += await posted.about(config, database)
    return [*keys, *waiting, *await wordings.about(config, database)]


def _missing_file(url: str) -> Path | None:
    """Opening would make it, and looking changes nothing."""
    return next((one for one in sqlite_files(url)[:1] if not one.exists()), None)


async def _about_schema(database: Database, name: str) -> Finding:
    schema = database_schema.SCHEMAS[name]
    void = schema is not GUARD and await database_schema.is_void(database, schema)
    match await database_schema.standing(database, schema):
        case Standing.EMPTY:
            return fail(name, "has no tables", _MADE_OR_PUT_BACK)
        case Standing.CURRENT if void:
            return fail(name, "has tables, and nothing in them", _MADE_OR_PUT_BACK)
        case Standing.CURRENT:
            return ok(name, "has this release's schema")
        case Standing.EXPANDED:
            return ok(name, "has a later release's schema, on which this one runs")
        case Standing.BETWEEN:
            said = "lacks tables or columns of this release: a version between two releases made it"
            return fail(name, said, "run the version that made it, or begin anew")
        case Standing.BEHIND:
            return fail(name, "is not at this release's schema", "run `gateway db upgrade`")
        case Standing.BEYOND:
            return fail(name, "has a later release's schema", "run that release")


async def _about_settings(database: Database, name: str) -> AsyncIterator[Finding]:
    async with database.read() as connection:
        before = datetime.now(UTC)  # noqa: TID251 compared with the database's clock
        now = await DatabaseClock().now(connection)
        yield about_clock(name, now - before)
        if database.dialect == "postgresql":
            for finding in about_postgresql(name, await _settings(connection)):
                yield finding
            return
    async with database.begin() as connection:
        values = {pragma: await _pragma(connection, pragma) for pragma in _PRAGMAS}
    yield about_sqlite(name, values)


def about_clock(name: str, ahead: timedelta) -> Finding:
    """Moments come from the database; form stamps and file names from this machine."""
    said = f"its clock and this machine's differ by {abs(ahead).total_seconds():.1f} s"
    if abs(ahead) <= _SKEW:
        return ok(name, said)
    finding = fail if abs(ahead) > _OUT_OF_STEP else warn
    return finding(name, said, "run NTP on both machines")


_ASKED = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "log_statement",
    "log_min_duration_statement",
    "log_min_duration_sample",
    "log_parameter_max_length",
    "log_parameter_max_length_on_error",
    "archive_mode",
)


async def _settings(connection: AsyncConnection) -> dict[str, str]:
    query = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
    rows = await connection.execute(query, {"names": list(_ASKED)})
    return {row.name: row.setting for row in rows}


def about_postgresql(name: str, settings: dict[str, str]) -> Iterator[Finding]:
    """What an acknowledged request rests on, and what would write parameters into a log."""
    for setting in ("fsync", "full_page_writes"):
        if settings.get(setting) != "on":
            said = f"{setting} is off: a power loss may take what was acknowledged"
            yield fail(name, said, f"set {setting} = on")
    if settings.get("synchronous_commit") not in ("on", "remote_apply"):
        said = "synchronous_commit is not on, though we ask for it"
        yield fail(name, said, "take away what overrides it for our user or database")
    statements = settings.get("log_statement") != "none"
    slow = any(
        settings.get(setting, "-1") != "-1"
        for setting in ("log_min_duration_statement", "log_min_duration_sample")
    )
    if (statements or slow) and settings.get("log_parameter_max_length") != "0":
        said = "logs the parameters of statements: keyed hashes and sealed data leave the database"
        yield warn(name, said, "set log_parameter_max_length = 0, or log no statements")
    if settings.get("log_parameter_max_length_on_error", "0") != "0":
        said = "logs the parameters of failed statements"
        yield warn(name, said, "set log_parameter_max_length_on_error = 0")
    if settings.get("archive_mode") == "off":
        said = "archives no WAL: a restore goes back to the last full backup"
        yield warn(name, said, "set up continuous archiving, see docs/operations.md")
    yield ok(name, "its settings were looked at")


_PRAGMAS = {"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1"}


async def _pragma(connection: AsyncConnection, name: str) -> str:
    return str((await connection.execute(text(f"PRAGMA {name}"))).scalar_one())


def about_sqlite(name: str, values: dict[str, str]) -> Finding:
    """We set these ourselves; a file system without locks, or another build, may refuse them."""
    wrong = [pragma for pragma, wanted in _PRAGMAS.items() if values.get(pragma) != wanted]
    if wrong:
        said = f"does not keep to {', '.join(wrong)}"
        return fail(name, said, "put the file on a local disk")
    return ok(name, "WAL, synchronous=FULL, secure_delete")
