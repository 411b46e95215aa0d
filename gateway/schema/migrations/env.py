"""What Alembic runs: the caller brings the connection, its transaction and the schema."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from storage.types import Moment

schema = context.config.attributes["schema"]
names = {table for metadata in schema.tables for table in metadata.tables}


def is_ours(_thing: Any, name: str | None, kind: str, reflected: bool, _to: Any) -> bool:
    """Leave the tables of a schema that shares the database alone."""
    return not (kind == "table" and reflected and name not in names)


def spelled(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Write our own type as the tables do."""
    return "types.Moment()" if kind == "type" and isinstance(thing, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=list(schema.tables),
    version_table=schema.version_table,
    include_object=is_ours,
    render_as_batch=True,  # SQLite alters few things in place
    render_item=spelled,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
