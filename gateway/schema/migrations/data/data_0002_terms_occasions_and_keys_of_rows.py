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
# As a withdrawal leaves it from now on.
_PROFILES_OF_NOBODY_TO_MAIL = """
    UPDATE subject
    SET profile = NULL
    WHERE profile IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM consent WHERE consent.subject = subject.id AND consent.state = 'confirmed'
    )
"""
_NEW = ("api_key", "fresh_link", "handle", "outbox", "session", "subject")
_LOG = ("audit_entry", "audit_pending")
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
    for table in _LOG:
        op.add_column(table, sa.Column("kid", sa.Integer(), nullable=False, server_default="1"))
    _note_in_the_row_of_a_person()
    _mark_who_leaves()
    _find_by_numbered_keys()
    _keep_spent_stamps()
    _keep_what_stops_service_mails()
    _keep_what_was_erased()
    _keep_what_was_asked_by_right()
    _keep_what_the_guard_must_hear_of()
    _keep_what_others_are_told()
    _keep_what_is_held()
    _keep_how_mails_are_to_come()
    _keep_what_changes_an_address()
    _keep_what_callers_call_people()
    _keep_campaigns()
    _keep_what_callers_list()
    _keep_what_people_were_shown()
    _keep_who_sits_at_the_desk()
    _keep_what_is_taken_out_there()
    op.execute(_PROFILES_OF_NOBODY_TO_MAIL)


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


def _note_in_the_row_of_a_person() -> None:
    """That they left while their key was missing; which facts go when they are erased."""
    with op.batch_alter_table("subject", schema=None) as batch_op:
        for name in ("left_unread", "going"):
            batch_op.add_column(sa.Column(name, sa.LargeBinary(), nullable=True))


def _mark_who_leaves() -> None:
    """What was received for an address before somebody left for it does not count."""
    op.create_table(
        "mark",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("left_at", types.Moment(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mark_address_hash"), ["address_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_mark_left_at"), ["left_at"], unique=False)


def _find_by_numbered_keys() -> None:
    """Rows that an address is found by, which the upgrade fills; hashes that name their key."""
    op.create_table(
        "subject_index",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("hash", "kid"),
    )
    with op.batch_alter_table("subject_index", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subject_index_subject"), ["subject"], unique=False)
    op.create_table(
        "live_key",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "number"),
    )
    with op.batch_alter_table("intake", schema=None) as batch_op:
        batch_op.add_column(sa.Column("index_kid", sa.Integer(), nullable=True))
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kid", sa.Integer(), nullable=True))
    op.execute("UPDATE suppression SET kid = 1")  # of the one key that there was
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.alter_column("kid", existing_type=sa.Integer(), nullable=False)


def _keep_spent_stamps() -> None:
    """Each stamp of a form proves once who showed the wording."""
    op.create_table(
        "spent_stamp",
        sa.Column("nonce_hash", sa.LargeBinary(), nullable=False),
        sa.Column("post_mark", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash"),
    )
    with op.batch_alter_table("spent_stamp", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_spent_stamp_spent_at"), ["spent_at"], unique=False)


def _keep_what_stops_service_mails() -> None:
    op.create_table(
        "service_mail",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mailbox", sa.LargeBinary(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=False),
        sa.Column("sent_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    with op.batch_alter_table("service_mail", schema=None) as batch_op:
        for name in ("subject", "mailbox", "sent_at"):
            batch_op.create_index(batch_op.f(f"ix_service_mail_{name}"), [name], unique=False)


def _keep_what_was_erased() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("received_at", types.Moment(), nullable=False),
        sa.Column("asked_at", types.Moment(), nullable=False),
        sa.Column("due_at", types.Moment(), nullable=False),
        sa.Column("locked_until", types.Moment(), nullable=True),
        sa.Column("done_at", types.Moment(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject"),
    )
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasure_done_at"), ["done_at"], unique=False)
        batch_op.create_index(
            "erasure_held",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'held'"),
            postgresql_where=sa.text("state = 'held'"),
        )
    with op.batch_alter_table("confirmation_consent", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_confirmation_consent_consent"), ["consent"], unique=False
        )
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.create_index("subject_created", ["created_at"], unique=False)
        batch_op.create_index(
            "subject_erased",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'erased'"),
            postgresql_where=sa.text("state = 'erased'"),
        )


def _keep_what_was_asked_by_right() -> None:
    op.create_table(
        "rights_request",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("received_at", types.Moment(), nullable=False),
        sa.Column("recorded_at", types.Moment(), nullable=False),
        sa.Column("due_at", types.Moment(), nullable=False),
        sa.Column("decided_at", types.Moment(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("reminded_at", types.Moment(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    waiting = sa.text("state IN ('open', 'extended')")
    with op.batch_alter_table("rights_request", schema=None) as batch_op:
        for name in ("subject", "decided_at"):
            batch_op.create_index(batch_op.f(f"ix_rights_request_{name}"), [name], unique=False)
        batch_op.create_index("rights_request_state", ["state", "id"], unique=False)
        batch_op.create_index(
            "rights_request_due",
            ["due_at"],
            unique=False,
            sqlite_where=waiting,
            postgresql_where=waiting,
        )


def _keep_what_the_guard_must_hear_of() -> None:
    op.create_table(
        "taking_away_due",
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
    with op.batch_alter_table("taking_away_due", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_taking_away_due_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_taking_away_due_subject"), ["subject"], unique=False)


def _keep_what_others_are_told() -> None:
    op.create_table(
        "change",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("receivers", sa.Text(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("eid"),
    )
    unspread, spread = sa.text("receivers IS NULL"), sa.text("receivers IS NOT NULL")
    with op.batch_alter_table("change", schema=None) as batch_op:
        for name in ("at", "subject"):
            batch_op.create_index(batch_op.f(f"ix_change_{name}"), [name], unique=False)
        batch_op.create_index(
            "change_unspread",
            ["id"],
            unique=False,
            sqlite_where=unspread,
            postgresql_where=unspread,
        )
        batch_op.create_index(
            "change_spread",
            ["place", "id"],
            unique=False,
            sqlite_where=spread,
            postgresql_where=spread,
        )
    op.create_table(
        "telling",
        sa.Column("change", sa.String(length=40), nullable=False),
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("told_at", types.Moment(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failed", sa.String(length=24), nullable=True),
        sa.Column("due_at", types.Moment(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("change", "webhook"),
    )
    unacknowledged = sa.text("state IN ('waiting', 'aside')")
    waiting = sa.text("state = 'waiting'")
    with op.batch_alter_table("telling", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_telling_subject"), ["subject"], unique=False)
        batch_op.create_index("telling_kept", ["kind", "at"], unique=False)
        batch_op.create_index(
            "telling_due",
            ["webhook", "due_at"],
            unique=False,
            sqlite_where=unacknowledged,
            postgresql_where=unacknowledged,
        )
        batch_op.create_index(
            "telling_waiting",
            ["webhook", "subject", "place"],
            unique=False,
            sqlite_where=waiting,
            postgresql_where=waiting,
        )


def _keep_what_is_held() -> None:
    op.create_table(
        "hold",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("placed_at", types.Moment(), nullable=False),
        sa.Column("until", types.Moment(), nullable=False),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hold_subject"), ["subject"], unique=False)
        batch_op.create_index(batch_op.f("ix_hold_until"), ["until"], unique=False)


def _keep_what_changes_an_address() -> None:
    op.create_table(
        "address_link",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("spent_at", types.Moment(), nullable=True),
        sa.Column("lifted", sa.String(length=16), nullable=True),
        sa.Column("paused_until", types.Moment(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("address_link", schema=None) as batch_op:
        for name in ("subject", "expires_at"):
            batch_op.create_index(batch_op.f(f"ix_address_link_{name}"), [name], unique=False)


def _keep_what_callers_call_people() -> None:
    op.create_table(
        "external_id",
        sa.Column("consent", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("consent"),
    )
    with op.batch_alter_table("external_id", schema=None) as batch_op:
        batch_op.create_index("external_id_of_subject", ["subject", "purpose"], unique=False)


def _keep_campaigns() -> None:
    with op.batch_alter_table("content", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key", sa.String(length=40), nullable=True))
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("campaign", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("again", sa.Integer(), nullable=True))
    for name, columns, more in (
        ("of_campaign", ["campaign", "subject"], ""),
        ("campaign_open", ["campaign", "id"], " AND ended_at IS NULL"),
        ("campaign_uncertain", ["campaign", "id"], " AND status = 'uncertain'"),
    ):
        these = sa.text(f"campaign IS NOT NULL{more}")
        with op.batch_alter_table("outbox", schema=None) as batch_op:
            batch_op.create_index(
                f"outbox_{name}",
                columns,
                unique=name == "of_campaign",
                sqlite_where=these,
                postgresql_where=these,
            )
    confirmed = sa.text("state = 'confirmed'")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(
            "consent_audience",
            ["purpose", "decided_at", "id"],
            unique=False,
            sqlite_where=confirmed,
            postgresql_where=confirmed,
        )
    _make_campaigns()


def _keep_what_callers_list() -> None:
    these = sa.text("reference IS NOT NULL")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reference", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("send_at", types.Moment(), nullable=True))
        batch_op.create_index(
            "outbox_reference",
            ["reference", "id"],
            unique=False,
            sqlite_where=these,
            postgresql_where=these,
        )


def _make_campaigns() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("id_domain", sa.String(length=253), nullable=False),
        sa.Column("origin", sa.String(length=40), nullable=True),
        sa.Column("content", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.LargeBinary(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=True),
        sa.Column("per_hour", sa.Integer(), nullable=True),
        sa.Column("starts_at", types.Moment(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("after_at", types.Moment(), nullable=True),
        sa.Column("after_id", sa.String(length=40), nullable=True),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("next_due_at", types.Moment(), nullable=False),
        sa.Column("expanded_at", types.Moment(), nullable=True),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    going_on = sa.text("ended_at IS NULL")
    with op.batch_alter_table("campaign", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_campaign_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(
            "campaign_open",
            ["id"],
            unique=False,
            sqlite_where=going_on,
            postgresql_where=going_on,
        )
    op.create_table(
        "campaign_count",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("campaign_count", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_campaign_count_campaign"), ["campaign"], unique=False)


def _keep_what_people_were_shown() -> None:
    """Forms, pages and mails, without what was anybody's, by the hash of their bytes."""
    op.create_table(
        "specimen",
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.Column("what", sa.String(length=12), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )


def _keep_who_sits_at_the_desk() -> None:
    """Operators, sealed; links to the desk, and sessions there."""
    op.create_table(
        "operator",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=True),
        sa.Column("mailbox", sa.String(length=40), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("revoked_at", types.Moment(), nullable=True),
        sa.Column("eid", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "operator_link",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("spent_at", types.Moment(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "operator_session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.String(length=40), nullable=False),
        sa.Column("link", sa.String(length=40), nullable=False),
        sa.Column("opened_at", types.Moment(), nullable=False),
        sa.Column("seen_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id_hash"),
    )
    for table in ("operator_link", "operator_session"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in ("operator", "expires_at"):
                name = batch_op.f(f"ix_{table}_{column}")
                batch_op.create_index(name, [column], unique=False)


def _keep_what_is_taken_out_there() -> None:
    """Exports that the desk asked for, and their bytes until they are fetched."""
    op.create_table(
        "desk_export",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("operator", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("why", sa.LargeBinary(), nullable=True),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("asked_at", types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=10), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.BigInteger(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("maker", sa.String(length=40), nullable=True),
        sa.Column("lease_until", types.Moment(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.Column("fetched_at", types.Moment(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("desk_export", schema=None) as batch_op:
        for column in ("operator", "state", "subject"):
            batch_op.create_index(batch_op.f(f"ix_desk_export_{column}"), [column], unique=False)
    op.create_table(
        "desk_export_piece",
        sa.Column("export", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("export", "n"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")


def _keep_how_mails_are_to_come() -> None:
    """Pauses, and how far apart mails come; they only delay."""
    op.create_table(
        "pace",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("paused_until", types.Moment(), nullable=True),
        sa.Column("apart_days", sa.Integer(), nullable=True),
        sa.Column("kid", sa.Integer(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"]),
        sa.PrimaryKeyConstraint("subject"),
    )
