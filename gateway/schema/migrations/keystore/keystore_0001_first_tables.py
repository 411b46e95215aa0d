"""first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "keystore_0001"
down_revision = None
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    op.create_table(
        "dek",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("compartment", sa.String(length=10), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "compartment"),
    )
    with op.batch_alter_table("dek", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dek_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_dek_epoch"), ["epoch"], unique=False)

    op.create_table(
        "erasure_ledger",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("compartment", sa.String(length=10), nullable=False),
        sa.Column("done_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "compartment"),
    )
    with op.batch_alter_table("erasure_ledger", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasure_ledger_done_at"), ["done_at"], unique=False)

    op.create_table(
        "intake_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("closed_at", types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("intake_key", schema=None) as batch_op:
        batch_op.create_index("intake_key_closed", ["closed_at"], unique=False)

    op.create_table(
        "kek_epoch",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("since", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("epoch"),
    )
    op.create_table(
        "limit_key",
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
