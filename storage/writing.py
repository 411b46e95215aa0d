"""Rows written all at once, by a statement that is made once for a table.

SQLAlchemy looks at each value of each row anew, and PostgreSQL's driver sends each row by itself:
of a sign-up, which writes into a dozen tables, that was a sixth. And of a table that was empty when
its statement was planned, PostgreSQL read all rows to change one, for each mail that was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Select, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from storage import straight

_Process = Callable[[Any], Any]


class _Made(NamedTuple):
    statement: str
    processes: Sequence[_Process | None]  # of each column, how its type writes a value
    # Of one row: of arrays PostgreSQL's driver looks several times at each value, of each column.
    lone: bool


async def insert_all(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    new_only: bool = False,
) -> int:
    """Insert *rows*, which give the same columns in the same order; returns how many were.

    With *new_only* a row whose key is there already is passed over. Python's defaults of
    columns are not filled in.
    """
    if not rows:
        return 0
    dialect = straight.kind_of(connection.dialect)
    made = _inserted(table, tuple(rows[0]), dialect, new_only, lone=len(rows) == 1)
    return await _execute(connection, made, [tuple(row.values()) for row in rows])


@dataclass(frozen=True, slots=True)
class While:
    """What must be so for rows to be written: that *query*, made once, finds so many, all unlike.

    A row that stands there twice, which only a table without its keys can have, is one.
    It locks what it finds, or it might not be so any more when they are. And that PostgreSQL gets
    the statement by *until*, by its own clock; SQLite has none.
    """

    query: Select[Any] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    count: int = 0
    until: datetime | None = None


async def insert_each(
    connection: AsyncConnection,
    *parts: tuple[Table, Sequence[Mapping[str, Any]]],
    provided: While | None = None,
) -> bool:
    """As `insert_all` of each table in turn; with PostgreSQL in one statement.

    Rows may name rows of other tables here: it is looked at when all of them are there. False,
    and nothing written, where it is not so what was *provided*.
    """
    given = [(table, rows) for table, rows in parts if rows]
    if connection.dialect.name == "postgresql" and (provided or len(given) > 1):
        return await _insert_together(connection, given, provided)
    if provided is not None and provided.query is not None:
        found = await straight.rows(connection, provided.query, provided.given)
        if len({*map(tuple, found)}) != provided.count:
            return False
    for table, rows in given:
        await insert_all(connection, table, rows)
    return True


async def _insert_together(
    connection: AsyncConnection,
    given: Sequence[tuple[Table, Sequence[Mapping[str, Any]]]],
    provided: While | None,
) -> bool:
    if not given:
        raise ValueError("nothing to write")
    shapes = tuple((table, tuple(rows[0])) for table, rows in given)
    provided = provided or While()
    dialect = straight.kind_of(connection.dialect)
    lone = all(len(rows) == 1 for _, rows in given)
    timed = provided.until is not None
    made = _inserted_together(shapes, provided.query, timed, dialect, lone=lone)
    columns = [column for _, rows in given for column in zip(*map(_values, rows), strict=True)]
    asked: list[Any] = []
    if provided.query is not None:
        asked = [*_told(provided.query, dialect).arguments(provided.given), provided.count]
    if provided.until is not None:
        asked.append(provided.until)
    written = (*asked, *_given_to(made, columns))
    return await straight.run_text(connection, made.statement, written) > 0


def _told(query: Select[Any], dialect: Dialect) -> straight.Made:
    made = straight.made(query, dialect)
    if made is None:
        raise ValueError("it answers what the driver reads otherwise")
    return made


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.values())


async def update_all(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write what *rows* say: their primary keys, and the same other columns each, in one order.

    The caller holds them: in which order they are written is the database's choice. What is said
    last of a row stands, as if they were written one after another.
    """
    if rows:
        keys = [column.name for column in table.primary_key]
        # Joined to two rows that name it, PostgreSQL would write either.
        last = {tuple(row[key] for key in keys): tuple(row.values()) for row in rows}
        dialect = straight.kind_of(connection.dialect)
        made = _updated(table, tuple(rows[0]), dialect, lone=len(last) == 1)
        await _execute(connection, made, [*last.values()])


async def _execute(
    connection: AsyncConnection, made: _Made, rows: Sequence[tuple[Any, ...]]
) -> int:
    columns = zip(*rows, strict=True)
    if connection.dialect.name == "postgresql":
        return await _execute_arrays(connection, made, columns)
    given: Any = [*zip(*_written(made, columns), strict=True)]
    return await straight.run_text(connection, made.statement, given)


async def _execute_arrays(
    connection: AsyncConnection, made: _Made, columns: Iterable[Sequence[Any]]
) -> int:
    """One array for each column: SQLite's driver goes through the rows in C, PostgreSQL's not."""
    return await straight.run_text(connection, made.statement, _given_to(made, columns))


def _given_to(made: _Made, columns: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    """What PostgreSQL's driver is given: an array for each column, or the values of a lone row."""
    written = _written(made, columns)
    return tuple(value for (value,) in written) if made.lone else tuple(written)


def _written(made: _Made, columns: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    for process, values in zip(made.processes, columns, strict=True):
        yield values if process is None else [*map(process, values)]


@cache
def _inserted_together(
    shapes: tuple[tuple[Table, tuple[str, ...]], ...],
    query: Select[Any] | None,
    timed: bool,
    dialect: Dialect,
    *,
    lone: bool,
) -> _Made:
    """One insert, and the others beside it; foreign keys are looked at in the end."""
    beside: list[str] = []
    processes: list[_Process | None] = []
    first = 1
    conditions: list[str] = []
    if query is not None:
        told = _told(query, dialect)
        # Its own values come first, then how many it must find.
        first = len(told.order) + 2
        beside.append(f"found AS MATERIALIZED ({told.text})")
        conditions.append(f"(SELECT count(DISTINCT found) FROM found) = ${first - 1}")  # noqa: S608 our query
    if timed:
        # The same for all of a statement, and not of the transaction: when it came.
        conditions.append(f"statement_timestamp() <= CAST(${first} AS timestamptz)")
        first += 1
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    statements: list[str] = []
    for table, names in shapes:
        place = first + len(processes)
        statements.append(_insert(table, names, dialect, place, lone=lone) + where)
        processes += _processes(table, names, dialect)
    *others, last = statements
    beside += [f"part_{n} AS ({one})" for n, one in enumerate(others)]
    head = f"WITH {', '.join(beside)} " if beside else ""
    return _Made(head + last, processes, lone)


def _insert(
    table: Table, names: tuple[str, ...], dialect: Dialect, first: int = 1, *, lone: bool
) -> str:
    quote = dialect.identifier_preparer
    named = ", ".join(quote.format_column(table.c[name]) for name in names)
    head = f"INSERT INTO {quote.format_table(table)} ({named})"
    if dialect.name != "postgresql":
        return f"{head} VALUES ({', '.join('?' for _ in names)})"
    given = _given(table, names, dialect, first, lone=lone)
    return f"{head} SELECT * FROM {given} AS given"  # noqa: S608 our names


@cache
def _inserted(
    table: Table, names: tuple[str, ...], dialect: Dialect, new_only: bool, *, lone: bool
) -> _Made:
    statement = _insert(table, names, dialect, lone=lone)
    if new_only:
        statement += " ON CONFLICT DO NOTHING"
    return _Made(statement, _processes(table, names, dialect), lone)


@cache
def _updated(table: Table, names: tuple[str, ...], dialect: Dialect, *, lone: bool) -> _Made:
    """Joined to the arrays, PostgreSQL finds all rows at once, whatever it takes the table for."""
    quote = dialect.identifier_preparer
    keys = {column.name for column in table.primary_key}
    joined = dialect.name == "postgresql"
    values = {
        name: f"given.{quote.quote(name)}" if joined else f"?{n}" for n, name in enumerate(names, 1)
    }
    these = quote.format_table(table)
    changed = ", ".join(f"{quote.quote(n)} = {v}" for n, v in values.items() if n not in keys)
    found = " AND ".join(f"{these}.{quote.quote(n)} = {v}" for n, v in values.items() if n in keys)
    beside = ""
    if joined:
        columns = ", ".join(map(quote.quote, names))
        beside = f" FROM {_given(table, names, dialect, lone=lone)} AS given ({columns})"
    statement = f"UPDATE {these} SET {changed}{beside} WHERE {found}"  # noqa: S608 our names
    return _Made(statement, _processes(table, names, dialect), lone)


def _given(
    table: Table, names: Iterable[str], dialect: Dialect, first: int = 1, *, lone: bool
) -> str:
    """What PostgreSQL is given, as a table: an array for each column, or the values of one row."""
    many = "" if lone else "[]"
    places = ", ".join(
        f"CAST(${n} AS {_element(table.c[name].type, dialect)}{many})"
        for n, name in enumerate(names, first)
    )
    return f"(VALUES ({places}))" if lone else f"unnest({places})"


def _processes(table: Table, names: Iterable[str], dialect: Dialect) -> list[_Process | None]:
    kinds = (table.c[name].type for name in names)
    return [kind.dialect_impl(dialect).bind_processor(dialect) for kind in kinds]


def _element(kind: TypeEngine[Any], dialect: Dialect) -> str:
    # A cast to VARCHAR(n) would cut a longer text off, which an insert refuses.
    return "TEXT" if isinstance(kind, String) else kind.compile(dialect)
