"""Statements that are made once, and go straight to the driver.

SQLAlchemy's layers take several times as long for a statement as the driver below them, and a
mail needs a few dozen. Here they are left out, also where a transaction begins and ends;
everything stays SQLAlchemy's while somebody listens to what is executed.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import Boolean, Dialect, Integer, LargeBinary, String
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    ProgrammingError,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.types import Moment, read_moment

Given = Mapping[str, Any]
Rows = Sequence[Any]
_NOTHING: Final[Given] = MappingProxyType({})
_POSTGRESQL = "postgresql"
# As SQLAlchemy's adapter calls them.
_READ_COMMITTED, _AUTOCOMMIT = "read_committed", "autocommit"
_AS_IT_IS: Final = (String, Integer, LargeBinary, Boolean)  # as PostgreSQL's driver reads it


class _Row(asyncpg.Record):
    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Made(NamedTuple):
    """A statement as its driver takes it."""

    text: str
    order: Sequence[str]  # the names of what it is given
    fixed: Given  # what of that it gives itself, as it is written
    writes: Mapping[str, Callable[[Any], Any]]
    read: Callable[[Rows], Rows]  # what the driver answers, as SQLAlchemy would

    def arguments(self, given: Given) -> list[Any]:
        return [self._argument(name, given) for name in self.order]

    def _argument(self, name: str, given: Given) -> Any:
        if name in self.fixed:
            return self.fixed[name]
        write = self.writes.get(name)
        return given[name] if write is None else write(given[name])


async def rows(connection: AsyncConnection, statement: Any, given: Given = _NOTHING) -> Rows:
    """What *statement* answers, each row a tuple that has its columns by name, too.

    It is kept for ever, so make it once.
    """
    driver, known = _driver(connection), _made_for(connection, statement)
    if driver is None or known is None:
        return (await connection.execute(statement, given)).all()
    fetch = driver.rows if _is_sqlite(connection) else partial(driver.fetch, record_class=_Row)
    return known.read(await _asked(connection, known.text, fetch, known.arguments(given)))


async def run(connection: AsyncConnection, statement: Any, given: Given = _NOTHING) -> None:
    """Execute *statement*, which answers nothing."""
    driver, known = _driver(connection), _made_for(connection, statement)
    if driver is None or known is None:
        await connection.execute(statement, given)
        return
    execute = driver.rows if _is_sqlite(connection) else driver.execute
    await _asked(connection, known.text, execute, known.arguments(given))


async def run_text(connection: AsyncConnection, text: str, given: Any) -> int:
    """Execute a *text* of the driver's own, and say how many rows it changed.

    *given* are its values, with SQLite in rows: it is executed with each.
    """
    driver = _driver(connection)
    if driver is None:
        return (await connection.exec_driver_sql(text, given)).rowcount
    if _is_sqlite(connection):
        changed: int = await _asked(connection, text, driver.changed, given)
        return changed
    said = await _asked(connection, text, driver.execute, given)
    return int(said.rpartition(" ")[2])


def _is_sqlite(connection: AsyncConnection) -> bool:
    return connection.dialect.name != _POSTGRESQL


def _driver(connection: AsyncConnection) -> Any:
    """The driver's connection, where nobody listens to what SQLAlchemy executes."""
    sync = connection.sync_connection
    listened = sync is not None and sync.dispatch.before_cursor_execute
    return None if listened else _driver_of(connection)


def _driver_of(connection: AsyncConnection) -> Any:
    """The driver's connection, whoever listens."""
    sync = connection.sync_connection
    return None if sync is None else sync.connection.driver_connection


class _Begun:
    """A transaction as SQLAlchemy's adapter of the driver holds one; the driver's own asks more."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def commit(self) -> None:
        await self._driver.execute("COMMIT")

    async def rollback(self) -> None:
        await self._driver.execute("ROLLBACK")


async def _begin(connection: AsyncConnection) -> None:
    """Begin, as SQLAlchemy does, with the first statement of a transaction; it may end it, too."""
    adapted = None if _is_sqlite(connection) else _adapted(connection)
    if adapted is None or adapted._transaction is not None:
        return
    if adapted.isolation_level == _READ_COMMITTED:
        await adapted.driver_connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        adapted._transaction = _Begun(adapted.driver_connection)


async def prepare(connection: AsyncConnection, *, writing: bool) -> None:
    """Let a connection begin a transaction, or let each statement be for itself.

    With SQLite it has begun then, and waited for whoever else writes; SQLAlchemy must begin
    nothing by itself (`storage.database`). To PostgreSQL nothing goes yet.
    """
    if _is_sqlite(connection):
        if writing:
            await _asked(connection, "BEGIN IMMEDIATE", _driver_of(connection).rows, ())
        return
    _adapted(connection).isolation_level = _READ_COMMITTED if writing else _AUTOCOMMIT
    if writing and (sync := connection.sync_connection) is not None:
        sync.begin()


async def end(connection: AsyncConnection) -> None:
    """Commit what was begun. Raises what SQLAlchemy would."""
    sync = connection.sync_connection
    begun = None if sync is None else sync.get_transaction()
    if _is_sqlite(connection) and begun is None:  # nothing went by SQLAlchemy
        await _asked(connection, "COMMIT", lambda _: _driver_of(connection).commit(), ())
        return
    if _is_sqlite(connection) or _driver(connection) is None:
        await connection.commit()
        return
    if begun is None:
        return
    adapted = _adapted(connection)
    if adapted._transaction is not None and begun.is_active:
        await _asked(connection, "COMMIT", lambda _: adapted._transaction.commit(), ())
        adapted._transaction = None
    begun.commit()  # which has nothing to ask of the server


def is_open(connection: AsyncConnection) -> bool:
    """Whether a connection can be used, as far as its driver knows."""
    sync = connection.sync_connection
    return sync is not None and not sync.invalidated and not _is_lost(connection)


def _adapted(connection: AsyncConnection) -> Any:
    """SQLAlchemy's adapter of the driver's connection."""
    sync = connection.sync_connection
    return None if sync is None else sync.connection.dbapi_connection


async def _asked(
    connection: AsyncConnection, text: str, ask: Callable[..., Any], given: Sequence[Any]
) -> Any:
    """What the driver says; its errors are told as SQLAlchemy tells them, without values."""
    try:
        await _begin(connection)
        return await ask(text, *given)
    except sqlite3.Error as error:
        raise _as_told(text, error) from error
    except _ERRORS as error:
        lost = isinstance(error, OSError) or _is_lost(connection)
        if lost:
            await connection.invalidate(error)
        if isinstance(error, asyncpg.InvalidCachedStatementError):
            # A table was altered: what was prepared before is forgotten, as SQLAlchemy does it.
            dialect: Any = connection.dialect
            dialect._invalidate_schema_cache()
        kind = next(named for raised, named in _KINDS.items() if isinstance(error, raised))
        told = _Told(error)
        raise kind(text, None, told, hide_parameters=True, connection_invalidated=lost) from error
    except Exception:
        raise
    except BaseException as error:  # cancelled, with its answer still to come
        await connection.invalidate(error)
        raise


def _as_told(text: str, error: sqlite3.Error) -> BaseException:
    """SQLite's errors by SQLAlchemy's names, which are the same."""
    return DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True)


# As SQLAlchemy calls PostgreSQL's, the first that fits.
_KINDS: Final[Mapping[type[BaseException], type[DBAPIError]]] = {
    asyncpg.IntegrityConstraintViolationError: IntegrityError,
    asyncpg.SyntaxOrAccessError: ProgrammingError,
    asyncpg.InternalServerError: InternalError,
    asyncpg.PostgresError: DBAPIError,
    asyncpg.InternalClientError: InternalError,
    asyncpg.InterfaceError: InterfaceError,
    OSError: InterfaceError,  # a lost socket, or an answer that did not come in time
}
_ERRORS: Final = tuple(_KINDS)


class _Told(Exception):
    """What the driver raised, without the row that it is about."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(*error.args[:1])
        self.sqlstate = getattr(error, "sqlstate", None)
        self.__cause__ = error


def _is_lost(connection: AsyncConnection) -> bool:
    driver = _driver_of(connection)
    return driver is None or bool(driver.is_closed())


def _made_for(connection: AsyncConnection, statement: Any) -> Made | None:
    return made(statement, kind_of(connection.dialect))


_KINDS_OF_DIALECTS: dict[str, Dialect] = {}


def kind_of(dialect: Dialect) -> Dialect:
    """One for all of its name: what is made for it serves every database of that kind."""
    return _KINDS_OF_DIALECTS.setdefault(dialect.name, dialect)


@cache
def made(statement: Any, dialect: Dialect) -> Made | None:
    """None where it goes by SQLAlchemy: with values that its driver reads otherwise."""
    columns = getattr(statement, "exported_columns", {})
    kinds = [column.type for column in columns]
    if dialect.name == _POSTGRESQL:
        if not all(isinstance(kind, (Moment, *_AS_IT_IS)) for kind in kinds):
            return None
        moments = [place for place, kind in enumerate(kinds) if isinstance(kind, Moment)]
        read: Callable[[Rows], Rows] = partial(_as_utc, moments=moments)
    else:
        named = partial(_named, _row_of([*columns.keys()]), _readers(kinds, dialect))
        read = named if kinds else list
    compiled = statement.compile(dialect=dialect)
    asked = [bind for bind in compiled.bind_names if bind.required]
    whole = compiled.construct_expanded_state({bind.key: None for bind in asked})
    names = {bind.key for bind in asked}
    writes = {bind.key: bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in asked}
    return Made(
        whole.statement,
        [*whole.positiontup],
        {name: value for name, value in whole.parameters.items() if name not in names},
        {name: write for name, write in writes.items() if write is not None},
        read,
    )


def _row_of(names: Sequence[str]) -> Any:
    return namedtuple("Row", names, rename=True)


def _readers(kinds: Sequence[Any], dialect: Dialect) -> Sequence[tuple[int, Callable[[Any], Any]]]:
    """By their places, how columns are read that the driver gives otherwise."""
    impls = (kind.dialect_impl(dialect).result_processor(dialect, None) for kind in kinds)
    return [(place, read) for place, read in enumerate(impls) if read is not None]


def _named(
    row: Any, readers: Sequence[tuple[int, Callable[[Any], Any]]], found: Rows
) -> Sequence[Any]:
    """SQLite's rows, as SQLAlchemy would give them."""
    read = []
    for one in found:
        values = list(one)
        for place, reader in readers:
            values[place] = reader(values[place])
        read.append(row._make(values))
    return read


def _as_utc(found: Rows, moments: Sequence[int]) -> Rows:
    """As SQLAlchemy would give the moments among the values: nearly always they are so already."""
    odd = [
        place
        for place in moments
        if any(row[place] is not None and row[place].tzinfo is not UTC for row in found)
    ]
    return (
        _named(_row_of([*found[0].keys()]), [(n, read_moment) for n in odd], found)
        if odd
        else found
    )
