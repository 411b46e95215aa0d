"""rows that grant something name the key that signed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "data_0003"
down_revision = "data_0002"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables: rows that an earlier one
# writes are not signed, and grant nothing.
oldest = "data_0003"

_NEW = ("api_key", "fresh_link", "handle", "outbox", "session", "subject")
_SIGNED_BEFORE = ("confirmation_consent", "consent")


def upgrade() -> None:
    op.execute("DELETE FROM session")  # each lasts half an hour, and could not be signed
    for table in _NEW:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))
            batch_op.add_column(sa.Column("mac", sa.LargeBinary(), nullable=True))
    for table in _SIGNED_BEFORE:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
