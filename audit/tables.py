"""What the log keeps. Private to this package.

An event's rows lie in the data database; the guard lies elsewhere, so that
whoever restores or rewrites the one does not change the other with it.
"""

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

from storage.types import Moment

metadata = MetaData()

# SQLite numbers rows by itself only where the type is INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")

# Staged by business transactions, not yet in the tree.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("n", _Number, primary_key=True, autoincrement=True),
    Column("eid", LargeBinary, nullable=False, unique=True),
    Column("entry", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)

# The log. Kind and moment repeat what the entry says, for searching.
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("leaf_index", _Number, primary_key=True, autoincrement=False),
    Column("eid", LargeBinary, nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("at", String(24), nullable=False),  # as the entry writes it; sorts as time
    Column("entry", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),  # names the row that was tampered with
    Index("audit_entry_kind", "kind", "leaf_index"),
    Index("audit_entry_at", "at"),
)

# How far the log has come; one row, which the sequencer locks.
audit_state = Table(
    "audit_state",
    metadata,
    Column("log", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

# Full subtrees of 256, 65536, ... leaves.
audit_node = Table(
    "audit_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_payload = Table(
    "audit_payload",
    metadata,
    Column("eid", LargeBinary, primary_key=True),
    Column("compartment", String(16), primary_key=True),
    Column("subject", String(40), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)

# The commitment stays for ever; subject and facts go when the person is erased.
# Facts without a subject are not sealed.
audit_item = Table(
    "audit_item",
    metadata,
    Column("eid", LargeBinary, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("subject", String(40)),
    Column("commitment", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Index(
        "audit_item_subject",
        "subject",
        sqlite_where=text("subject IS NOT NULL"),
        postgresql_where=text("subject IS NOT NULL"),
    ),
)

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("published_at", Moment, nullable=False),
)

guard_metadata = MetaData()

# The last checkpoint that was published, out of the data database's reach.
audit_guard = Table(
    "audit_guard",
    guard_metadata,
    Column("log", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)
