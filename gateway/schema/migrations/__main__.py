"""Write the migration that leads from the last one to the tables as they are now."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.schema.database_schema import SCHEMAS, Schema, alembic_config, upgrade_one
from storage.database import open_database

_USAGE = 'usage: python -m gateway.schema.migrations data|keystore|guard "what changed"'


def _write(connection: Connection, schema: Schema, message: str) -> list[str]:
    config = alembic_config(schema, connection)
    directory = ScriptDirectory.from_config(config)
    number = f"{len(list(directory.walk_revisions())) + 1:04d}"
    made = command.revision(
        config,
        message=message,
        autogenerate=True,
        rev_id=f"{schema.name}_{number}",
        version_path=str(schema.migrations),
    )
    scripts = made if isinstance(made, list) else [made]
    return [script.path for script in scripts if script is not None]


async def _make(schema: Schema, message: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        async with open_database(schema.name, f"sqlite:///{folder}/empty.db") as database:
            await upgrade_one(database, schema)
            async with database.begin() as connection:
                return await connection.run_sync(_write, schema, message)


def _tidy(path: str) -> None:
    """Take out what Alembic says to whoever generates, and put the file into the house format."""
    file = Path(path)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.strip().startswith("# ###")))
    # Imports are put in order by the check; a line that is too long only the format can break.
    for step in (["format", "-q"], ["check", "-q", "--fix"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *step, path], check=True)  # noqa: S603 our own file


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in SCHEMAS:
        sys.stderr.write(_USAGE + "\n")
        return 2
    paths = asyncio.run(_make(SCHEMAS[arguments[0]], arguments[1]))
    for path in paths:
        _tidy(path)
    sys.stdout.write("\n".join(paths) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
