"""which backups were verified."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "keystore_0002"
down_revision = "keystore_0001"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    op.create_table(
        "verified_backup",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("taken_at", types.Moment(), nullable=False),
        sa.Column("verified_at", types.Moment(), nullable=False),
        sa.Column("epochs", sa.String(length=400), nullable=False),
        sa.Column("wrapping", sa.String(length=400), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
