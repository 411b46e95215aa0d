"""Column types and statements that mean the same on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    func,
    select,
    types,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

HASHES = postgresql.ARRAY(LargeBinary())
_SQLITE_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

# What is read for a moment that is none. Whoever wrote it could have written this, so
# nobody gains by it; an exception would come before any row of the statement can be read.
NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class _Dated(FunctionElement[datetime]):
    """A moment as it is read; `NO_MOMENT` where the database has a year that Python lacks."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[datetime]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(_Dated)
def _as_it_is(element: _Dated, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Dated, "postgresql")
def _within_python(element: _Dated, compiler: SQLCompiler, **options: Any) -> str:
    # The driver would fail the whole statement for it.
    column = compiler.process(element.clauses, **options)
    # Infinity is what the driver writes for the last moment of Python.
    fits = f"{column} IS NULL OR {column} BETWEEN {FIRST_YEAR} AND {LAST_YEAR}"
    fits += f" OR {column} = 'infinity'"
    return f"CASE WHEN {fits} THEN {column} ELSE TIMESTAMPTZ '{NO_MOMENT.isoformat()}' END"


# All that Python has, in PostgreSQL's words.
FIRST_YEAR, LAST_YEAR = "'0001-01-01Z'", "'9999-12-31 23:59:59.999999Z'"


class Moment(types.TypeDecorator[datetime]):
    """An aware UTC instant with microseconds; SQLite keeps text that sorts as time."""

    impl = types.TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))

    def column_expression(self, column: ColumnElement[datetime]) -> ColumnElement[datetime]:
        return _Dated(column)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment must be aware")
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        return _written(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return read_moment(value)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None]:
        """Without SQLAlchemy's own call around it: every mail reads a dozen moments."""
        return read_moment


def read_moment(value: Any) -> datetime | None:
    """What a driver gives for one, in UTC."""
    if value is None or (type(value) is datetime and value.tzinfo is UTC):
        return value
    if not isinstance(value, datetime):
        return _read(value)
    # The driver reads infinity without a zone, which would be that of this machine.
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _written(value: datetime) -> str:
    """A UTC moment as `_read` reads it: `strftime` writes the year 26 with two digits."""
    return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _read(stored: Any) -> datetime:
    """A moment as SQLite keeps it; in its columns anything may stand."""
    try:
        read = datetime.fromisoformat(stored)  # ten times as fast, of what we wrote
        if read.tzinfo is UTC and _written(read) == stored:
            return read
        return datetime.strptime(stored, _SQLITE_FORMAT).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return NO_MOMENT


def honest(*, from_the_first: bool = False) -> tuple[Column[int], Column[bytes]]:
    """The columns of a row that grants something: which key signed it, and the MAC.

    `kid` is empty in rows of the first release until the upgrade has adopted
    them, and so is the MAC unless such rows had one *from_the_first* on. A row
    without a key grants nothing.
    """
    return Column("kid", Integer), Column("mac", LargeBinary, nullable=not from_the_first)


class _Texts(types.TypeDecorator[Iterable[object]]):
    """The texts among any values as one parameter: an array, with SQLite as JSON."""

    impl = types.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return dialect.type_descriptor(postgresql.ARRAY(String()))

    def process_bind_param(self, value: Iterable[object] | None, dialect: Dialect) -> Any:
        found = _names(value or ())
        return json.dumps(found) if dialect.name == "sqlite" else found


class _Numbers(types.TypeDecorator[Iterable[int]]):
    """Whole numbers as one parameter, as `_Texts`."""

    impl = types.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return dialect.type_descriptor(postgresql.ARRAY(Integer()))

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> Any:
        found = [*(value or ())]
        return json.dumps(found) if dialect.name == "sqlite" else found


def _names(values: Iterable[object]) -> list[Any]:
    """The names among *values*; nearly always that is each of them, which is seen at once."""
    found: list[Any] = [*values]
    try:
        if "\0" not in "".join(found):
            return found
    except TypeError:
        pass  # not all of them are texts
    return [one for one in found if is_name(one)]


class _Member(FunctionElement[bool]):
    """A column, and what it is to be among."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> _Member:
        """As it is: SQLite would be asked for `… = 1`, for which it reads the table whole."""
        return self


class _Among(_Member):
    inherit_cache = True


def among(
    column: ColumnElement[str], values: Iterable[object] | BindParameter[Any]
) -> ColumnElement[bool]:
    """`column IN values`, with one text of the statement however many *values* there are.

    An expanded list is compiled, sent and planned anew for every length. A value
    that is no name, from a row that somebody wrote, is found nowhere: it must not
    keep the others from being found. A statement that is made once takes `texts`
    instead of values.
    """
    if not isinstance(values, BindParameter):
        values = bindparam(None, list(values), type_=_Texts(), unique=True)
    return _Among(column, values)


def among_numbers(column: ColumnElement[int], values: BindParameter[Any]) -> ColumnElement[bool]:
    """`among` for numbers, which a statement that is made once takes as `numbers`."""
    return _Among(column, values)


class ByNames:
    """A query for the rows of some names, made once: it is one of a lone name, and one of any.

    Of an array PostgreSQL's driver looks several times at each value, and most are of one.
    """

    def __init__(self, query: Select[Any], column: ColumnElement[str]) -> None:
        self._of_one = query.where(column == bindparam("name", type_=column.type))
        self._of_any = query.where(among(column, texts("names")))

    def of(self, names: Sequence[object]) -> tuple[Select[Any], dict[str, Any]]:
        """The statement, and what it is given."""
        if len(names) == 1 and is_name(names[0]):
            return self._of_one, {"name": names[0]}
        return self._of_any, {"names": names}


class _Found(_Member):
    inherit_cache = True


def found_by(column: ColumnElement[str], query: Select[Any]) -> ColumnElement[bool]:
    """`column IN query`, of a *query* that finds few: it is answered first.

    Else PostgreSQL, of tables that it knows nothing of, may read all rows to join them.
    """
    return _Found(column, query.scalar_subquery())


@compiles(_Found, "postgresql")
def _any_found(element: _Found, compiler: SQLCompiler, **options: Any) -> str:
    column, query = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} = ANY (ARRAY{query})"


@compiles(_Found, "sqlite")
def _in_found(element: _Found, compiler: SQLCompiler, **options: Any) -> str:
    column, query = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} IN {query}"


def among_hashes(
    connection: AsyncConnection, column: ColumnElement[bytes], hashes: Iterable[bytes]
) -> ColumnElement[bool]:
    """`column IN hashes`; with PostgreSQL, one text of the statement however many there are.

    An expanded list of the hashes of a batch took a third of the calls of a sign-up. Of
    `= ANY` a plan made while the table was small compares each row with each hash, and the
    driver keeps it until the table is analysed.
    """
    wanted = list(set(hashes))
    if connection.dialect.name != "postgresql":
        return column.in_(wanted)
    given = bindparam(None, wanted, type_=HASHES, unique=True)
    return column.in_(select(func.unnest(given)))


def texts(name: str) -> BindParameter[Any]:
    """Values of `among` that a statement gets by *name* when it is executed."""
    return bindparam(name, type_=_Texts())


def numbers(name: str) -> BindParameter[Any]:
    """Values of `among_numbers` that a statement gets by *name* when it is executed."""
    return bindparam(name, type_=_Numbers())


def is_name(value: object) -> bool:
    """Whether `among` can ask for *value*; SQLite keeps anything anywhere."""
    # PostgreSQL takes no NUL: asked for by such an id, it would fail the look at everybody. SQLite
    # would cut the text there, and find another row by what is before it.
    return isinstance(value, str) and "\0" not in value


@compiles(_Among, "postgresql")
def _any(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 made of expressions


def upsert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that has ON CONFLICT; both dialects spell it the same."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
