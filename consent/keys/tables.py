"""What the key store keeps: wrapped keys and random ids, in a database of its own.

It is backed up apart from the data, so that no backup of one gives what the
other lets go. Private to this package.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table

from storage.sound import within
from storage.types import Moment, honest

metadata = MetaData()

# Epochs of the key-encryption keys; the keys themselves are in the keyring.
kek_epoch = Table(
    "kek_epoch",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False, info=within(1, 2**31 - 1)),
    # announced | active | retiring | destroyed
    Column("state", String(10), nullable=False, info=within(1, 10)),
    Column("since", Moment, nullable=False, info=within(27)),
    Column("proof", String(16), info=within(16)),  # tells two keys of one number apart
    # Nothing in this store is wrapped under it any more.
    Column("rewrapped_at", Moment, info=within(27)),
    # Nor in a backup that is needed: keyrings let it go.
    Column("released_at", Moment, info=within(27)),
    Column("told", String(10), info=within(1, 10)),  # the state that the log was told of last
    *honest(),
)

# Where keys of the keyring's sets stand: those that followed others, and those that they followed.
set_key = Table(
    "set_key",
    metadata,
    Column("kind", String(16), primary_key=True, info=within(1, 16)),
    Column("number", Integer, primary_key=True, autoincrement=False, info=within(1, 2**31 - 1)),
    # announced | active | retiring | destroyed
    Column("state", String(10), nullable=False, info=within(1, 10)),
    Column("since", Moment, nullable=False, info=within(27)),
    Column("proof", String(16), nullable=False, info=within(16)),
    # Nothing that stands needs it any more.
    Column("renewed_at", Moment, info=within(27)),
    # Nor a backup that may be put back: keyrings let it go.
    Column("released_at", Moment, info=within(27)),
    Column("told", String(10), info=within(1, 10)),  # the state that the log was told of last
    *honest(),
)

# Processes that run, and the keys that each of them holds: a new key waits for all of them.
node = Table(
    "node",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("name", String(64), nullable=False, info=within(1, 64)),
    Column("holds", String(4000), nullable=False, info=within(0, 4000)),
    Column("seen_at", Moment, nullable=False, info=within(27)),
)

dek = Table(
    "dek",
    metadata,
    Column("subject", String(40), primary_key=True, info=within(1, 40)),
    Column("compartment", String(10), primary_key=True, info=within(1, 10)),
    Column("epoch", Integer, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
)

# Keys that sign-ups are sealed under until they are worked off.
intake_key = Table(
    "intake_key",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Index("intake_key_closed", "closed_at"),
)

# Keys of contents that many messages name: nobody's, and gone with the last of them.
content_key = Table(
    "content_key",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)

# One key per ISO week for limits and abuse counters.
limit_key = Table(
    "limit_key",
    metadata,
    Column("period", String(8), primary_key=True, info=within(1, 8)),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

# Which session of their own pages each personal link opened, until that would be over.
own_session = Table(
    "own_session",
    metadata,
    Column("link", String(40), primary_key=True),
    Column("subject", String(40), nullable=False, index=True),
    Column("id_hash", LargeBinary, unique=True),  # as the data has it; none: it was ended
    Column("expires_at", Moment, nullable=False, index=True),
)

# What was destroyed. Says nothing about anybody: the ids were random and are gone elsewhere.
erasure_ledger = Table(
    "erasure_ledger",
    metadata,
    Column("subject", String(40), primary_key=True),
    Column("compartment", String(10), primary_key=True),
    Column("done_at", Moment, nullable=False, index=True),
)

# Which backups were put back into scratch and found whole: a key is destroyed, and said to be, only
# after one that does without it.
verified_backup = Table(
    "verified_backup",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("taken_at", Moment, nullable=False, info=within(27)),
    Column("verified_at", Moment, nullable=False, info=within(27)),
    Column("epochs", String(400), nullable=False, info=within(0, 400)),  # "1:retiring 2:active"
    Column("wrapping", String(400), nullable=False, info=within(0, 400)),  # "2": by their data keys
    *honest(),
)
