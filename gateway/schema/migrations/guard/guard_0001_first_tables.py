"""first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "guard_0001"
down_revision = None
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    op.create_table(
        "audit_guard",
        sa.Column("log", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
