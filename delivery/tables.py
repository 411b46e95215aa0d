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
    # Under whose key it is sealed; none: many messages name it, and it has one of its own.
    Column("subject", String(40), index=True),
    Column("key", String(40)),  # the name of that key, in the key store
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
    Column("id_domain", String(253)),  # of its Message-ID, whatever becomes of the sender
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
    Column("reference", LargeBinary),  # keyed with that API key, for who brings it to find it by
    Column("send_at", Moment),  # from when on; none: earlier releases did not keep it
    # Why a service mail was enqueued, and what it is about, in the words of who did so.
    Column("occasion", String(16)),
    Column("regarding", String(64)),
    Column("campaign", String(40), info=within(1, 40)),  # whose it is one of; its content is shared
    # Up to this attempt none that may have sent it stands in the way: somebody asked for it again.
    Column("again", Integer),
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
        "outbox_reference",
        "reference",
        "id",
        sqlite_where=text("reference IS NOT NULL"),
        postgresql_where=text("reference IS NOT NULL"),
    ),
    Index(
        "outbox_of_campaign",
        "campaign",
        "subject",
        unique=True,
        sqlite_where=text("campaign IS NOT NULL"),
        postgresql_where=text("campaign IS NOT NULL"),
    ),
    # What of a campaign has not ended, and what may be asked for again: few of its messages.
    Index(
        "outbox_campaign_open",
        "campaign",
        "id",
        sqlite_where=text("campaign IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=text("campaign IS NOT NULL AND ended_at IS NULL"),
    ),
    Index(
        "outbox_campaign_uncertain",
        "campaign",
        "id",
        sqlite_where=text("campaign IS NOT NULL AND status = 'uncertain'"),
        postgresql_where=text("campaign IS NOT NULL AND status = 'uncertain'"),
    ),
    Index(
        "outbox_bodies",
        "ended_at",
        "id",
        sqlite_where=text("ended_at IS NOT NULL AND content IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL AND content IS NOT NULL"),
    ),
)

# Mails to everyone whom a purpose permits (`delivery/campaigns.py`). Whom it is for is chosen by
# what people said of themselves, so it is sealed, as its name is: under the key of its content.
campaign = Table(
    "campaign",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("purpose", String(64), nullable=False, info=within(1, 64)),
    Column("sender", String(64), nullable=False, info=within(1, 64)),
    Column("id_domain", String(253), nullable=False, info=within(1, 253)),
    Column("origin", String(40), info=within(1, 40)),  # the API key; none: an operator
    Column("content", String(40), nullable=False, info=within(1, 40)),
    Column("audience", LargeBinary, nullable=False),
    Column("reference", LargeBinary),
    Column("per_hour", Integer, info=within(1, 2**31 - 1)),
    Column("starts_at", Moment, nullable=False, info=within(27)),
    Column("created_at", Moment, nullable=False, info=within(27)),
    # scheduled | expanding | sending | paused | done | cancelled
    Column("state", String(10), nullable=False, info=within(1, 10)),
    # The last consent that was looked at, by its decision; behind it the next step goes on.
    Column("after_at", Moment, info=within(27)),
    Column("after_id", String(40), info=within(1, 40)),
    Column("made", Integer, nullable=False, info=within(0, 2**31 - 1)),  # messages so far
    Column("next_due_at", Moment, nullable=False, info=within(27)),  # of the next message
    Column("expanded_at", Moment, info=within(27)),  # everyone has a message
    Column("ended_at", Moment, index=True, info=within(27)),
    Column("eid", LargeBinary, nullable=False, info=within(16)),  # the last event about it
    *honest(),
    Index(
        "campaign_open",
        "id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

# How many messages of a campaign came to what: each change adds a row, and whoever adds one waits
# for nobody; the sum is what counts (`delivery/tally.py`).
campaign_count = Table(
    "campaign_count",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("campaign", String(40), nullable=False, index=True),
    Column("status", String(12), nullable=False),
    Column("reason", String(32)),
    Column("number", Integer, nullable=False),  # fewer, where it is below zero
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
