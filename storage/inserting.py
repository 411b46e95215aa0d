"""Rows written all at once, by a statement that is made once for a table.

SQLAlchemy's own insert looks at each value of each row anew, and PostgreSQL's driver sends each
row by itself: of a sign-up, which writes into a dozen tables, that was a sixth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Dialect, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

_Process = Callable[[Any], Any]


class _Made(NamedTuple):
    statement: str
    processes: Sequence[_Process | None]  # of each column, how its type writes a value


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
    # With PostgreSQL one array for each column; SQLite's driver goes through the rows in C.
    made = _made(table, tuple(rows[0]), connection.dialect, new_only)
    columns = [
        values if process is None else [*map(process, values)]
        for process, values in zip(
            made.processes, zip(*[row.values() for row in rows], strict=True), strict=True
        )
    ]
    arrays = connection.dialect.name == "postgresql"
    given: Any = tuple(columns) if arrays else [*zip(*columns, strict=True)]
    return (await connection.exec_driver_sql(made.statement, given)).rowcount


@cache
def _made(table: Table, names: tuple[str, ...], dialect: Dialect, new_only: bool) -> _Made:
    columns = [table.c[name] for name in names]
    quote = dialect.identifier_preparer
    named = ", ".join(map(quote.format_column, columns))
    head = f"INSERT INTO {quote.format_table(table)} ({named})"
    if dialect.name == "postgresql":
        arrays = ", ".join(
            f"CAST(${n} AS {_element(column.type, dialect)}[])"
            for n, column in enumerate(columns, 1)
        )
        statement = f"{head} SELECT * FROM unnest({arrays})"  # noqa: S608 of names of ours
    else:
        statement = f"{head} VALUES ({', '.join('?' for _ in columns)})"
    if new_only:
        statement += " ON CONFLICT DO NOTHING"
    processes = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    return _Made(statement, processes)


def _element(kind: TypeEngine[Any], dialect: Dialect) -> str:
    # A cast to VARCHAR(n) would cut a longer text off, which an insert refuses.
    return "TEXT" if isinstance(kind, String) else kind.compile(dialect)
