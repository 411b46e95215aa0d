"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
