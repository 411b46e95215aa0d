"""first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "data_0001"
down_revision = None
branch_labels = None
depends_on = None
# The oldest revision whose code works on these tables. None: that of the revision
# before does, for this only adds tables, indexes and columns that may stay empty.
oldest = None


def upgrade() -> None:
    op.create_table(
        "confirmation_count",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("address_key", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("confirmation_count", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_confirmation_count_address_key"), ["address_key"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_confirmation_count_sent_at"), ["sent_at"], unique=False
        )

    op.create_table(
        "consent_text",
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("bundle", sa.LargeBinary(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("published_at", types.Moment(), nullable=False),
        sa.Column("retired_at", types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "intake",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("blind_index", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("intake", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_intake_key_id"), ["key_id"], unique=False)

    op.create_table(
        "privacy_notice",
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "subject",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("blind_index", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("profile", sa.LargeBinary(), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("restricted_at", types.Moment(), nullable=True),
        sa.Column("objected_at", types.Moment(), nullable=True),
        sa.Column("suppressed", sa.String(length=12), nullable=True),
        sa.Column("asking_blocked_at", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("trail_length", sa.Integer(), nullable=False),
        sa.Column("trail_last", sa.String(length=44), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("blind_index"),
    )
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.create_index(
            "subject_erasing",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'erasing'"),
            postgresql_where=sa.text("state = 'erasing'"),
        )

    op.create_table(
        "suppression",
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("since", types.Moment(), nullable=False),
        sa.Column("until", types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("address_hash", "kind"),
    )
    op.create_table(
        "confirmation",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"],
            ["subject.id"],
        ),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    with op.batch_alter_table("confirmation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_confirmation_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_confirmation_subject"), ["subject"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("text_hash", sa.String(length=71), nullable=False),
        sa.Column("form", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("evidence", sa.String(length=12), nullable=False),
        sa.Column("requested_at", types.Moment(), nullable=False),
        sa.Column("lapses_at", types.Moment(), nullable=False),
        sa.Column("decided_at", types.Moment(), nullable=True),
        sa.Column("ends_at", types.Moment(), nullable=True),
        sa.Column("mails", sa.Integer(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"],
            ["subject.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(
            "consent_confirmed",
            ["decided_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'confirmed'"),
            postgresql_where=sa.text("state = 'confirmed'"),
        )
        batch_op.create_index(
            "consent_ended",
            ["decided_at", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('withdrawn', 'expired')"),
            postgresql_where=sa.text("state IN ('withdrawn', 'expired')"),
        )
        batch_op.create_index(
            "consent_ending",
            ["ends_at"],
            unique=False,
            sqlite_where=sa.text("state = 'confirmed'"),
            postgresql_where=sa.text("state = 'confirmed'"),
        )
        batch_op.create_index("consent_of_subject", ["subject", "purpose"], unique=False)
        batch_op.create_index(
            "consent_pending",
            ["lapses_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "consent_unconfirmed",
            ["requested_at", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('rejected', 'lapsed')"),
            postgresql_where=sa.text("state IN ('rejected', 'lapsed')"),
        )

    op.create_table(
        "fresh_link",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("spent_at", types.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subject"],
            ["subject.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("fresh_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fresh_link_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_fresh_link_subject"), ["subject"], unique=False)

    op.create_table(
        "handle",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("unsubscribe_hash", sa.LargeBinary(), nullable=False),
        sa.Column("why_hash", sa.LargeBinary(), nullable=False),
        sa.Column("preferences_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"],
            ["subject.id"],
        ),
        sa.PrimaryKeyConstraint("subject", "purpose"),
        sa.UniqueConstraint("preferences_hash"),
        sa.UniqueConstraint("unsubscribe_hash"),
        sa.UniqueConstraint("why_hash"),
    )
    op.create_table(
        "session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("opened_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"],
            ["subject.id"],
        ),
        sa.PrimaryKeyConstraint("id_hash"),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_subject"), ["subject"], unique=False)

    op.create_table(
        "confirmation_consent",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("consent", sa.String(length=40), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consent"],
            ["consent.id"],
        ),
        sa.ForeignKeyConstraint(["token_hash"], ["confirmation.token_hash"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", "consent"),
    )
    op.create_table(
        "content",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("content", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_content_subject"), ["subject"], unique=False)

    op.create_table(
        "permit",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("message", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ground_kind", sa.String(length=16), nullable=False),
        sa.Column("ground_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decided_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("spent_at", types.Moment(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("permit", schema=None) as batch_op:
        batch_op.create_index("permit_of_message", ["message", "attempt"], unique=True)
        batch_op.create_index(
            "permit_of_subject", ["subject", "purpose", "decided_at"], unique=False
        )
        batch_op.create_index(
            "permit_open",
            ["subject", "expires_at"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("boot_id", sa.String(length=40), nullable=False),
        sa.Column("lease_until", types.Moment(), nullable=False),
        sa.Column("started_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("worker", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_lease_until"), ["lease_until"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("due_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("dated_at", types.Moment(), nullable=True),
        sa.Column("origin", sa.String(length=40), nullable=True),
        sa.Column("regarding", sa.String(length=64), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["content"],
            ["content.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_content"), ["content"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_subject"), ["subject"], unique=False)
        batch_op.create_index(
            "outbox_bodies",
            ["ended_at", "id"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NOT NULL AND content IS NOT NULL"),
            postgresql_where=sa.text("ended_at IS NOT NULL AND content IS NOT NULL"),
        )
        batch_op.create_index(
            "outbox_due",
            ["kind", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'deferred')"),
            postgresql_where=sa.text("status IN ('queued', 'deferred')"),
        )

    op.create_table(
        "attempt",
        sa.Column("message", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("started_at", types.Moment(), nullable=False),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", sa.String(length=12), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message"],
            ["outbox.id"],
        ),
        sa.PrimaryKeyConstraint("message", "n"),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "audit_entry",
        sa.Column(
            "leaf_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("eid"),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("audit_entry_at", ["at"], unique=False)
        batch_op.create_index("audit_entry_kind", ["kind", "leaf_index"], unique=False)

    op.create_table(
        "audit_item",
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("eid", "position"),
    )
    with op.batch_alter_table("audit_item", schema=None) as batch_op:
        batch_op.create_index(
            "audit_item_subject",
            ["subject"],
            unique=False,
            sqlite_where=sa.text("subject IS NOT NULL"),
            postgresql_where=sa.text("subject IS NOT NULL"),
        )

    op.create_table(
        "audit_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position"),
    )
    op.create_table(
        "audit_payload",
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("compartment", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("eid", "compartment"),
    )
    with op.batch_alter_table("audit_payload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_payload_subject"), ["subject"], unique=False)

    op.create_table(
        "audit_pending",
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
        sa.UniqueConstraint("eid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_state",
        sa.Column("log", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("senders", sa.Text(), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("revoked_at", types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "idempotency",
        sa.Column("api_key", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.String(length=100), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("started_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("api_key", "endpoint", "key_hash"),
    )
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "rate_limit",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("empty_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("rate_limit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rate_limit_empty_at"), ["empty_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
