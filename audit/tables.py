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

from storage.sound import within
from storage.types import Moment

# What may stand in a column is declared (`storage.sound`), for a row may come from anybody.
_EID, _HASH, _ENTRY = within(16), within(32), within(1, 4096)
_NUMBER, _INDEX = within(0, 2**63 - 1), within(0, 2**53 - 1)  # beyond it, JSON is not exact
_SUBJECT, _NAME, _NOTE = within(1, 40), within(1, 200), within(1, 16_384)
_KID = within(1, 2**31 - 1)
_FRONTIER = within(0, 32 * 53)
_PAYLOAD, _ITEM = within(1, 1 << 20), within(1, 1 << 16)  # a form's answers; ids and outcomes

metadata = MetaData()

# The key of the first release, whose rows name none. As a default, since a column that is filled
# afterwards makes SQLite write the table anew, and forget which numbers it has given.
_FIRST = text("1")

# SQLite numbers rows by itself only where the type is INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")

# Staged by business transactions, not yet in the tree.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("n", _Number, primary_key=True, autoincrement=True, info=_NUMBER),
    Column("eid", LargeBinary, nullable=False, unique=True, info=_EID),
    Column("entry", LargeBinary, nullable=False, info=_ENTRY),
    Column("mac", LargeBinary, nullable=False, info=_HASH),
    Column("kid", Integer, nullable=False, server_default=_FIRST, info=_KID),
    sqlite_autoincrement=True,  # a number is never given twice
)

# The log. Kind and moment repeat what the entry says, for searching.
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("leaf_index", _Number, primary_key=True, autoincrement=False, info=_INDEX),
    Column("eid", LargeBinary, nullable=False, unique=True, info=_EID),
    Column("kind", String(32), nullable=False, info=within(1, 32)),
    Column(
        "at", String(24), nullable=False, info=within(24)
    ),  # as the entry writes it; sorts as time
    Column("entry", LargeBinary, nullable=False, info=_ENTRY),
    Column("leaf_hash", LargeBinary, nullable=False, info=_HASH),
    Column("mac", LargeBinary, nullable=False, info=_HASH),  # names the row that was tampered with
    Column("kid", Integer, nullable=False, server_default=_FIRST, info=_KID),
    Index("audit_entry_kind", "kind", "leaf_index"),
    Index("audit_entry_at", "at"),
)

# How far the log has come; one row, which the sequencer locks.
audit_state = Table(
    "audit_state",
    metadata,
    Column("log", String(200), primary_key=True, info=_NAME),
    Column("size", BigInteger, nullable=False, info=_INDEX),
    Column("frontier", LargeBinary, nullable=False, info=_FRONTIER),
)

# Full subtrees of 256, 65536, ... leaves.
audit_node = Table(
    "audit_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False, info=within(8, 56)),
    Column("position", BigInteger, primary_key=True, autoincrement=False, info=_INDEX),
    Column("hash", LargeBinary, nullable=False, info=_HASH),
)

audit_payload = Table(
    "audit_payload",
    metadata,
    Column("eid", LargeBinary, primary_key=True, info=_EID),
    Column("compartment", String(16), primary_key=True, info=within(1, 16)),
    Column("subject", String(40), nullable=False, index=True, info=_SUBJECT),
    Column("sealed", LargeBinary, nullable=False, info=_PAYLOAD),
)

# The commitment stays for ever; subject and facts go when the person is erased.
# Facts without a subject are not sealed.
audit_item = Table(
    "audit_item",
    metadata,
    Column("eid", LargeBinary, primary_key=True, info=_EID),
    Column("position", Integer, primary_key=True, autoincrement=False, info=within(0, 2**31 - 1)),
    Column("subject", String(40), info=_SUBJECT),
    Column("commitment", LargeBinary, nullable=False, info=_HASH),
    Column("sealed", LargeBinary, info=_ITEM),
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
    Column("size", BigInteger, primary_key=True, autoincrement=False, info=_INDEX),
    Column("note", Text, nullable=False, info=_NOTE),
    Column("published_at", Moment, nullable=False, info=within(27)),
)

guard_metadata = MetaData()

# The last checkpoint that was published, out of the data database's reach.
audit_guard = Table(
    "audit_guard",
    guard_metadata,
    Column("log", String(200), primary_key=True, info=_NAME),
    Column("size", BigInteger, nullable=False, info=_INDEX),
    Column("note", Text, nullable=False, info=_NOTE),
)

# What the last verifications of the live log came to, of all of it and of what was newer.
audit_verified = Table(
    "audit_verified",
    guard_metadata,
    Column("log", String(200), primary_key=True, info=_NAME),  # the first of those that follow
    Column("scope", String(8), primary_key=True, info=within(1, 8)),
    Column("at", Moment, nullable=False, info=within(27)),
    Column("generation", Integer, nullable=False, info=within(1, 512)),
    Column("size", BigInteger, nullable=False, info=_INDEX),
    Column("root", LargeBinary, nullable=False, info=_HASH),
    Column("findings", Integer, nullable=False, info=within(0, 2**31 - 1)),
    Column("rows", Integer, nullable=False, info=within(0, 2**31 - 1)),
    Column("first_bad", BigInteger, info=_INDEX),
    Column("broken", Integer, nullable=False, info=within(0, 1)),
    Column("kid", Integer, nullable=False, info=_KID),
    Column("mac", LargeBinary, nullable=False, info=_HASH),
)

# What witnesses said of public checkpoints; each line proves itself by the key of its witness.
audit_cosignature = Table(
    "audit_cosignature",
    guard_metadata,
    Column("log", String(200), primary_key=True, info=_NAME),
    Column("size", BigInteger, primary_key=True, autoincrement=False, info=_INDEX),
    Column("witness", String(200), primary_key=True, info=_NAME),
    Column("line", Text, nullable=False, info=within(1, 1000)),
    Column("at", Moment, nullable=False, info=within(27)),
)
