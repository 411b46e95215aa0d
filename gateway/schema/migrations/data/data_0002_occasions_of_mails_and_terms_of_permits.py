"""occasions of mails and terms of permits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "data_0002"
down_revision = "data_0001"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None

_OCCASIONS = """
    UPDATE outbox
    SET occasion = CASE substr(regarding, 1, 4) WHEN 'lnk_' THEN 'fresh-link'
        ELSE 'confirmation' END
    WHERE regarding IS NOT NULL
"""
_TERMS = """
    UPDATE permit
    SET counts = (ground_kind NOT IN ('confirmation', 'service')),
        for_all = (ground_kind = 'confirmation'),
        keeps_use = (ground_kind = 'consent')
"""


def upgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("occasion", sa.String(length=16), nullable=True))

    with op.batch_alter_table("permit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("counts", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("for_all", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("keeps_use", sa.Boolean(), nullable=True))

    # What processes of the first release write from here on stays empty; whoever reads it knows.
    op.execute(_OCCASIONS)
    op.execute(_TERMS)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
