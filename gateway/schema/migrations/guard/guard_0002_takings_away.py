"""what people took away, for whoever restores a backup; what verifications came to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "guard_0002"
down_revision = "guard_0001"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    op.create_table(
        "taking_away",
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("erasure", sa.String(length=40), nullable=True),
        sa.Column("locked_until", types.Moment(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("eid"),
    )
    with op.batch_alter_table("taking_away", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_taking_away_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_taking_away_subject"), ["subject"], unique=False)
    op.create_table(
        "audit_verified",
        sa.Column("log", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_bad", sa.BigInteger(), nullable=True),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "scope"),
    )
    op.create_table(
        "audit_cosignature",
        sa.Column("log", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=200), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("log", "size", "witness"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
