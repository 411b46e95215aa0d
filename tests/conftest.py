"""What all tests share: a clean database of each kind, and a clock that obeys."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from gateway.cli import talk
from storage.database import Database, open_database
from tests.support import compiled, memory
from tests.support.apps import App, open_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.postgres import Postgres, postgres

# How long an example takes says how busy the machine is, and nothing of us. Each run has the same
# examples: what a new one shows is no fault of the change that happened to be tried. New ones are
# `make test-long`'s, which loads the other profile.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("any machine", _ANY_MACHINE, derandomize=True)
settings.register_profile("any machine, any dice", _ANY_MACHINE)
settings.load_profile("any machine")

compiled.share()

# Each transaction of ours waits for its disk: of a test a third of the time, and a tenth of the
# processor's. What is asked of a disk itself asks for one (`postgres(durable=True)`).
if in_memory := memory.place(4 * 2**30):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(in_memory))

# What these ask does not depend on the database, but for those that are about one alone: here
# PostgreSQL is left to `make test-long`.
_SELDOM_ON_BOTH = ("attacks", "http")
# Likewise of the contracts those about what is decided and said; what is about locks, orders and
# statements is asked of both, always.
_LONG_ON_BOTH = {
    *("test_api_key", "test_api_keys", "test_ask_anew", "test_attestations", "test_audit_trail"),
    *("test_audit_verify", "test_bundle", "test_cli_erase", "test_cli_texts", "test_composing"),
    *("test_consent_texts", "test_content", "test_coverage", "test_doctor", "test_expire"),
    *("test_behind", "test_holds", "test_missing_keys", "test_public", "test_rights_requests"),
    *("test_audit_verified", "test_consent_evidence", "test_operator", "test_defend", "test_staff"),
    *("test_commands", "test_campaign", "test_cli_breach", "test_following", "test_telling"),
    *("test_locked_evidence", "test_status", "test_exporting", "test_export_forms"),
    "test_template",
}
# What is promised is asked of both, always. Of the gaps between two effects PostgreSQL is asked one
# in four of each file, beginning with the first; the others with `make test-long`.
_SOME_ON_BOTH, _EVERY = {"faults"}, 4
_SOME_OF = {"test_campaigns", "test_takings_away"}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that an operator's process runs on."""
    return {"the operator's": talk.loop_factory() or asyncio.new_event_loop}


_SELDOM = (100_000, 20, 10)  # instead of after each 700 objects more


def pytest_collection_finish() -> None:
    """Thousands of tests stay as they are: whoever looks for garbage need not go through them.

    Each test makes a gateway and throws it away: to look as often as Python does by itself, for
    that much more than a server makes, was a tenth of a test's processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)


@pytest.hookimpl(tryfirst=True)  # before what is not asked for is taken out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    always = {_named(item) for item in items if item.get_closest_marker("long") is None}
    asked = Counter[Path]()
    for item in items:
        path, name, dialect = _named(item)
        if dialect != "postgresql" or (path, name, "sqlite") not in always:
            continue
        seldom = path.parent.name in _SELDOM_ON_BOTH or path.stem in _LONG_ON_BOTH
        if path.parent.name in _SOME_ON_BOTH or path.stem in _SOME_OF:
            seldom = asked[path] % _EVERY != 0
            asked[path] += 1
        if seldom:
            item.add_marker(pytest.mark.long)


def _named(item: pytest.Item) -> tuple[Path, str, str | None]:
    """Where a test stands, its name, and its database where it runs on each."""
    dialect: str | None = getattr(getattr(item, "callspec", None), "params", {}).get("dialect")
    return item.path, getattr(item, "originalname", item.name), dialect


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command configures the log of its process, which in a test is everybody's."""
    before, hooks = structlog.get_config(), (sys.excepthook, sys.unraisablehook)
    yield
    structlog.configure(**before)
    sys.excepthook, sys.unraisablehook = hooks


@pytest.fixture
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Make the URL of a new, empty database of the kind that is asked for."""
    made = Databases(lambda: request.getfixturevalue("postgres_server"), tmp_path)
    yield made
    made.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both databases: a test that takes this runs twice."""
    kind: str = request.param
    return kind


@pytest.fixture
async def database(dialect: str, new_database_url: Databases) -> AsyncIterator[Database]:
    """An empty database, on SQLite and again on PostgreSQL."""
    async with open_database("data", new_database_url(dialect)) as opened:
        yield opened


@pytest.fixture
async def keystore(dialect: str, new_database_url: Databases) -> AsyncIterator[Database]:
    """A second empty database of the same kind."""
    async with open_database("key store", new_database_url(dialect)) as opened:
        yield opened


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """The real application, on SQLite and again on PostgreSQL."""
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        yield opened


@pytest.fixture
async def limited(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """With the limits of network, form and domain."""
    async with open_app(tmp_path, new_database_url, dialect, limits=True) as opened:
        yield opened


@pytest.fixture
async def embedded(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """On SQLite only: for what stores nothing."""
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened
