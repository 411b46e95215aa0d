"""The real application, on SQLite and again on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.apps import App, open_app


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        yield opened


@pytest.fixture
async def limited(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    """With the limits of network, form and domain."""
    async with open_app(tmp_path, new_database_url, dialect, limits=True) as opened:
        yield opened


@pytest.fixture
async def embedded(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    """On SQLite only: for what stores nothing."""
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened
