"""Gateways as real processes, on SQLite and again on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, open_gateway


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    """One process on SQLite; `serve` and two workers on PostgreSQL."""
    async with open_gateway(tmp_path, new_database_url, dialect) as opened:
        await opened.start("serve", "serve")
        if dialect == "postgresql":
            await opened.start("worker-1", "worker")
            await opened.start("worker-2", "worker")
        yield opened


@pytest.fixture
async def one_process(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    """HTTP, duties and delivery in one process, on either database."""
    async with open_gateway(tmp_path, new_database_url, dialect) as opened:
        await opened.start("serve", "serve", "--worker")
        yield opened
