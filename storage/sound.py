"""Rows that can be read: what SQL says of types and sizes before a value is loaded.

SQLite keeps any type in any column, and bytes that are no text as text; whoever
writes rows can drop the constraints of either database. A column declares what
it may hold (`within`); what holds anything else is passed over by readers and
named by whoever checks.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache, lru_cache
from types import NoneType, SimpleNamespace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    and_,
    case,
    literal_column,
    not_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from storage.types import FIRST_YEAR, LAST_YEAR, NO_MOMENT, Moment

_SHOWN = 40  # bytes of a key that a finding quotes
_MOMENT = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_MOMENT += ".[0-9][0-9][0-9][0-9][0-9][0-9]Z"


def within(least: int, most: int | None = None) -> dict[str, tuple[int, int]]:
    """For a column's `info`: least and most bytes, or the range of a number; by default one."""
    return {"within": (least, least if most is None else most)}


@cache
def sound(table: Table) -> ColumnElement[bool]:
    """Whether a row of *table* holds only what its columns declare; never null."""
    return and_(*(_Sound(column) for column in table.columns))


def fits(*columns: Column[Any]) -> ColumnElement[bool]:
    """As `sound`, of some columns: those that a row is named and found by."""
    return and_(*map(_Sound, columns))


def unsound(table: Table, limit: int, of: Sequence[Column[Any]] = ()) -> Select[Any]:
    """Rows that are not, in the columns *of* or in any: `flaw` is one such column.

    The key follows, of each part its beginning, however odd it is.
    """
    columns = of or tuple(table.columns)
    flaw = case(*((not_(_Sound(column)), column.name) for column in columns))
    names = [_Shown(key).label(f"key_{key.name}") for key in table.primary_key]
    return select(flaw.label("flaw"), *names).where(not_(fits(*columns))).limit(limit)


def tuples(rows: Iterable[Any], table: Table) -> Iterator[Any]:
    """Whole rows of *table* as named tuples.

    SQLAlchemy's own look each name up anew, which for a mail's rows takes longer
    than reading them.
    """
    return map(_named(table), rows)


@cache
def _named(table: Table) -> Callable[[Iterable[Any]], Any]:
    row: Any = namedtuple("Row", table.columns.keys())  # type: ignore[misc]  # the table knows them
    make: Callable[[Iterable[Any]], Any] = row._make
    return make


def readable(row: Any, table: Table) -> Any:
    """A whole row of *table* itself, or where a value has not its column's type, one that has.

    For rows that carry a MAC: what is put in place of such a value does not fit
    it, where it covers the column; where it does not, the row is another one.
    """
    if _is_readable(table, tuple(map(type, row))):
        return row
    shape = _shape(table)
    return SimpleNamespace(
        **{name: _typed(row, name, wanted, null) for name, wanted, null in shape}
    )


# Several rows are read for every mail, and nearly all of a table are of a few kinds.
@lru_cache(maxsize=1024)
def _is_readable(table: Table, found: Sequence[type]) -> bool:
    """Whether values of these types, others may follow, are what the columns are declared as."""
    return all(
        issubclass(kind, wanted) or (nullable and kind is NoneType)
        for kind, (_, wanted, nullable) in zip(found, _shape(table), strict=False)
    )


def _typed(row: Any, name: str, wanted: type, nullable: bool) -> Any:
    value = getattr(row, name)
    if isinstance(value, wanted) or (nullable and value is None):
        return value
    return str(value) if wanted is str else _INSTEAD[wanted]


_INSTEAD: dict[type, Any] = {bytes: b"", int: 0, datetime: NO_MOMENT}


@cache
def _shape(table: Table) -> list[tuple[str, type, bool]]:
    """Name and Python type of each column, and whether it may be null."""
    return [(one.name, _python(one), bool(one.nullable)) for one in table.columns]


def _python(column: Column[Any]) -> type:
    return datetime if isinstance(column.type, Moment) else column.type.python_type


class _Sound(FunctionElement[bool]):
    """Of one column."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Column[Any]) -> None:
        least, most = column.info["within"]
        words = (str(least), str(most), "1" if column.nullable else "0")
        declared: list[ColumnElement[Any]] = [literal_column(word) for word in words]
        super().__init__(column, *declared)


@compiles(_Sound, "sqlite")
def _sound_in_sqlite(element: _Sound, compiler: SQLCompiler, **options: Any) -> str:
    column, least, most, nullable = _parts(element, compiler, options)
    stored, size = _in_sqlite(_type(element), column)
    # Null where a date is none: that is no yes.
    fits = f"coalesce(typeof({column}) = '{stored}' AND {size} BETWEEN {least} AND {most}"
    fits += f"{_is_written(_type(element), column)}, 0)"
    return f"({column} IS NULL OR {fits})" if nullable == "1" else fits


@compiles(_Sound, "postgresql")
def _sound_in_postgresql(element: _Sound, compiler: SQLCompiler, **options: Any) -> str:
    column, least, most, nullable = _parts(element, compiler, options)
    fits = f"{column} BETWEEN {least} AND {most}"
    if isinstance(_type(element), Moment):
        fits = f"{column} BETWEEN {FIRST_YEAR} AND {LAST_YEAR}"
    elif isinstance(_type(element), LargeBinary | String):
        fits = f"octet_length({column}) BETWEEN {least} AND {most}"
    null = f"{column} IS NULL OR" if nullable == "1" else f"{column} IS NOT NULL AND"
    # Nearly every row is sound. The planner guesses one of two hundred for a range of what it has
    # no statistics of, and as many for an equality: it would sort a table whole for each page.
    return f"(CASE WHEN {null} {fits} THEN 1 ELSE 0 END <> 0)"


class _Shown(FunctionElement[str]):
    """The beginning of a value, whatever it is, as text."""

    type = String()
    inherit_cache = True


@compiles(_Shown, "sqlite")
def _shown_in_sqlite(element: _Shown, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = _parts(element, compiler, options)
    beginning = f"substr({column}, 1, {_SHOWN})"
    return (
        f"quote(CASE WHEN typeof({column}) IN ('text', 'blob') THEN {beginning} ELSE {column} END)"
    )


@compiles(_Shown, "postgresql")
def _shown_in_postgresql(element: _Shown, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = _parts(element, compiler, options)
    if isinstance(_type(element), LargeBinary | String):
        column = f"substring({column} from 1 for {_SHOWN})"
    return f"CAST({column} AS text)"


def _in_sqlite(type_: TypeEngine[Any], column: str) -> tuple[str, str]:
    """The storage class of a column, and what is measured of it."""
    if isinstance(type_, LargeBinary):
        return "blob", f"length({column})"
    if isinstance(type_, String | Moment):
        # Of a text, `length` counts characters, and only those before a NUL.
        return "text", f"instr({column}, char(0)) = 0 AND length(CAST({column} AS BLOB))"
    return "integer", column


def _is_written(type_: TypeEngine[Any], column: str) -> str:
    """What is asked of the value beside its type and size."""
    if isinstance(type_, Moment):
        return _is_moment(column)
    # Names and words of ours are ASCII. Bytes that are no text are read as other text than stands
    # there, which is found nowhere, and where the next page does not begin.
    named = isinstance(type_, String) and not isinstance(type_, Text)
    return f" AND {column} NOT GLOB '*[^ -~]*'" if named else ""


def _is_moment(column: str) -> str:
    """SQLite's own date arithmetic puts what is no date in order: then it is another text."""
    seconds = f"substr({column}, 1, 19)"
    written = f"strftime('%Y-%m-%dT%H:%M:%S', {seconds}, '+0 days') = {seconds}"
    return f" AND {column} GLOB '{_MOMENT}' AND {column} >= '0001' AND {written}"


def _type(element: FunctionElement[Any]) -> TypeEngine[Any]:
    return next(iter(element.clauses)).type


def _parts(
    element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]
) -> list[str]:
    return [compiler.process(one, **options) for one in element.clauses]
