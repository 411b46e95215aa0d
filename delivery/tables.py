"""What `delivery` keeps in the data database. Private to this package.

No table here holds an address: it is released with the permit and never stored.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from storage.sound import within
from storage.types import Moment, honest

metadata = MetaData()

# What is to be said; many messages may name one content.
content = Table(
    "content",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subject", String(40), index=True),  # under whose key it is sealed
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("kind", String(10), nullable=False),  # marketing | service
    Column("subject", String(40), nullable=False, index=True, info=within(1, 40)),
    Column("purpose", String(64), nullable=False),
    Column("sender", String(64), nullable=False),
    # None: its retention is over.
    Column("content", ForeignKey("content.id"), index=True, info=within(1, 40)),
    Column("status", String(12), nullable=False),
    Column("reason", String(32)),
    Column("due_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("attempt", Integer, nullable=False),  # fences: grows with every claim
    Column("tries", Integer, nullable=False),  # counts: grows with every MAIL
    Column("owner", String(40), index=True),  # the worker whose lease holds it
    Column("dated_at", Moment),  # the Date header: the first claim, the same on every retry
    Column("origin", String(40)),  # the API key that accepted it
    # Why a service mail was enqueued, and what it is about, in the words of who did so.
    Column("occasion", String(16)),
    Column("regarding", String(64)),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment, index=True),
    *honest(),
    Index(
        "outbox_due",
        "kind",
        "due_at",
        "id",
        sqlite_where=text("status IN ('queued', 'deferred')"),
        postgresql_where=text("status IN ('queued', 'deferred')"),
    ),
    Index(
        "outbox_bodies",
        "ended_at",
        "id",
        sqlite_where=text("ended_at IS NOT NULL AND content IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL AND content IS NOT NULL"),
    ),
)

# The newest that was spent on a consent outlives its message: it says when the
# consent was last used.
permit = Table(
    "permit",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("message", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(40), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("ground_kind", String(16), nullable=False),
    Column("ground_id", String(40), nullable=False),
    # Terms, as `permits.Terms` has them.
    Column("counts", Boolean, nullable=False),
    Column("for_all", Boolean, nullable=False),
    Column("keeps_use", Boolean, nullable=False),
    Column("state", String(8), nullable=False),  # open | spent | lapsed
    Column("decided_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("spent_at", Moment),
    Column("eid", LargeBinary, nullable=False),
    Index("permit_of_message", "message", "attempt", unique=True),
    Index("permit_of_subject", "subject", "purpose", "decided_at"),
    Index(
        "permit_open",
        "subject",
        "expires_at",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("message", ForeignKey("outbox.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("code", Integer),
    Column("enhanced", String(12)),
    Column("outcome", String(12)),
    Column("reply", LargeBinary),  # sealed, compartment evidence
)

worker = Table(
    "worker",
    metadata,
    Column("id", String(40), primary_key=True),  # also the name of its journal
    Column("boot_id", String(40), nullable=False),
    Column("lease_until", Moment, nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
)
