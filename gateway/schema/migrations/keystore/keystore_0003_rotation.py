"""rotation: how far keys are, which process holds which; keys of contents; sessions that stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "keystore_0003"
down_revision = "keystore_0002"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    with op.batch_alter_table("kek_epoch", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proof", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("rewrapped_at", types.Moment(), nullable=True))
        batch_op.add_column(sa.Column("released_at", types.Moment(), nullable=True))
        batch_op.add_column(sa.Column("told", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("mac", sa.LargeBinary(), nullable=True))
    op.create_table(
        "set_key",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("since", types.Moment(), nullable=False),
        sa.Column("proof", sa.String(length=16), nullable=False),
        sa.Column("renewed_at", types.Moment(), nullable=True),
        sa.Column("released_at", types.Moment(), nullable=True),
        sa.Column("told", sa.String(length=10), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "number"),
    )
    op.create_table(
        "content_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "node",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holds", sa.String(length=4000), nullable=False),
        sa.Column("seen_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "own_session",
        sa.Column("link", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("link"),
        sa.UniqueConstraint("id_hash"),
    )
    with op.batch_alter_table("own_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_own_session_subject"), ["subject"], unique=False)
        batch_op.create_index(batch_op.f("ix_own_session_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
