"""terms of permits, occasions of mails, and keys of rows that grant something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "data_0002"
down_revision = "data_0001"
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables: rows that an earlier one
# writes are not signed, and grant nothing.
oldest = "data_0002"

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
_NEW = ("api_key", "fresh_link", "handle", "outbox", "session", "subject")
_SIGNED_BEFORE = ("confirmation_consent", "consent")


def upgrade() -> None:
    _say_what_had_to_be_guessed()
    _keep_the_domain_of_a_message_id()
    _make_room_for_what_is_parked()
    op.execute("DELETE FROM session")  # each lasts half an hour, and could not be signed
    for table in _NEW:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))
            batch_op.add_column(sa.Column("mac", sa.LargeBinary(), nullable=True))
    for table in _SIGNED_BEFORE:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))


def _say_what_had_to_be_guessed() -> None:
    """An occasion from what a mail is regarding, terms from the kind of ground."""
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("occasion", sa.String(length=16), nullable=True))
    op.execute(_OCCASIONS)
    terms = ("counts", "for_all", "keeps_use")
    with op.batch_alter_table("permit", schema=None) as batch_op:
        for name in terms:
            batch_op.add_column(sa.Column(name, sa.Boolean(), nullable=True))
    op.execute(_TERMS)
    with op.batch_alter_table("permit", schema=None) as batch_op:
        for name in terms:
            batch_op.alter_column(name, existing_type=sa.Boolean(), nullable=False)


def _keep_the_domain_of_a_message_id() -> None:
    """The configuration has it: `gateway db upgrade` fills it in before it signs."""
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("id_domain", sa.String(length=253), nullable=True))


def _make_room_for_what_is_parked() -> None:
    op.create_table(
        "parked",
        sa.Column("table", sa.String(length=32), nullable=False),
        sa.Column("row", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", types.Moment(), nullable=False),
        sa.Column("next_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("table", "row"),
    )
    with op.batch_alter_table("parked", schema=None) as batch_op:
        batch_op.create_index("parked_next", ["table", "next_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
