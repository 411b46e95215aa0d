"""New databases for a test, and gateways that were initialised once and are copied for each."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from tests.support.postgres import Postgres

Urls = tuple[str, str]  # of the data and of the key store
_numbers = itertools.count(1)


class Databases:
    """Makes databases of either kind; those in the server last until `drop`."""

    def __init__(self, server: Callable[[], Postgres], directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._made: list[str] = []

    def __call__(self, dialect: str) -> str:
        """The URL of a new, empty one."""
        if dialect == "sqlite":
            return f"sqlite:///{self._directory}/data{next(_numbers)}.db"
        return self._create()

    def copy(self, url: str) -> str:
        """A copy of one in the server, to which nobody may be connected; its URL."""
        # Of whole files: block by block through its log the server works twice as long.
        return self._create(f"TEMPLATE {make_url(url).database} STRATEGY FILE_COPY")

    def keep(self) -> None:
        """Let those that were made so far last as long as the server."""
        self._made.clear()

    def drop(self) -> None:
        """Thousands of databases would be written to disk, and take half a minute to delete."""
        for name in self._made:
            self._server().drop_database(name)
        self._made.clear()

    def _create(self, how: str = "") -> str:
        name = f"t{os.getpid()}_{next(_numbers)}"
        self._made.append(name)
        return self._server().create_database(name, how)


@dataclass(frozen=True)
class _Prepared:
    """An initialised gateway that nobody opens."""

    directory: Path
    urls: Urls


_prepared: dict[tuple[object, str], _Prepared] = {}
Initialise = Callable[[Path, Urls], Awaitable[None]]


async def copy_initialised(
    initialise: Initialise, directory: Path, databases: Databases, dialect: str
) -> Urls:
    """Files in *directory* and two databases as *initialise* makes them; it takes a second."""
    if (initialise, dialect) not in _prepared:
        place = directory.parent / f"prepared-{len(_prepared)}"
        place.mkdir()
        urls = _files(place) if dialect == "sqlite" else (databases(dialect), databases(dialect))
        databases.keep()
        await initialise(place, urls)
        _prepared[initialise, dialect] = _Prepared(place, urls)
    prepared = _prepared[initialise, dialect]
    shutil.copytree(prepared.directory, directory, dirs_exist_ok=True)
    if dialect == "sqlite":
        return _files(directory)
    data, keys = prepared.urls
    return databases.copy(data), databases.copy(keys)


def _files(directory: Path) -> Urls:
    return f"sqlite:///{directory}/data.db", f"sqlite:///{directory}/keys.db"
