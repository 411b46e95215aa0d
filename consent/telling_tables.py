"""What `consent` keeps of who is told what. Private to this package; no personal data."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from storage.sound import within
from storage.types import Moment, honest

metadata = MetaData()

# What happened to people, for whoever is told of it (`consent/feed.py`). Like an erasure's row it
# may outlive its person: by the random id, and nothing else here may ever say who it was.
change = Table(
    "change",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("eid", LargeBinary, nullable=False, unique=True),  # the event that says it
    Column("subject", String(40), nullable=False, index=True, info=within(1, 40)),
    Column("kind", String(32), nullable=False, info=within(1, 32)),
    Column("purpose", String(64), info=within(1, 64)),  # none: of no purpose, or of all
    Column("at", Moment, nullable=False, index=True),
    # Of the event in the log; none yet: not spread.
    Column("place", BigInteger, info=within(0, 2**63 - 1)),
    Column("receivers", Text, info=within(0, 1 << 16)),  # names with spaces between them
    *honest(),
    Index(
        "change_unspread",
        "id",
        sqlite_where=text("receivers IS NULL"),
        postgresql_where=text("receivers IS NULL"),
    ),
    Index(
        "change_spread",
        "place",
        "id",
        sqlite_where=text("receivers IS NOT NULL"),
        postgresql_where=text("receivers IS NOT NULL"),
    ),
)

# Who is told of a change, and whether they acknowledged it (`consent/tellings.py`).
telling = Table(
    "telling",
    metadata,
    Column("change", String(40), primary_key=True, info=within(1, 40)),
    Column("webhook", String(64), primary_key=True, info=within(1, 64)),
    Column("subject", String(40), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),  # of the change
    Column("state", String(10), nullable=False),  # waiting | aside | told | given_up
    Column("told_at", Moment),
    # Neither this nor what follows is signed.
    Column("tries", Integer, nullable=False),
    Column("failed", String(24)),  # why the last try was in vain
    Column("due_at", Moment, nullable=False),
    *honest(),
    Index("telling_kept", "kind", "at"),
    Index(
        "telling_due",
        "webhook",
        "due_at",
        sqlite_where=text("state IN ('waiting', 'aside')"),
        postgresql_where=text("state IN ('waiting', 'aside')"),
    ),
    Index(
        "telling_waiting",
        "webhook",
        "subject",
        "place",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)
