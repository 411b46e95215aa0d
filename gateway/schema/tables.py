"""What the gateway itself keeps in the data database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

from storage.sound import within
from storage.types import Moment, honest

metadata = MetaData()

# A caller's key; the token itself is stored nowhere.
api_key = Table(
    "api_key",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("name", String(200), nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # words with spaces between, as the next two
    Column("senders", Text, nullable=False),  # none: every sender
    Column("purposes", Text, nullable=False),  # none: every purpose
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    *honest(),
)

# Who may sit at the desk (`gateway/callers/operators.py`). Who that is, is sealed under a key of
# their own; what they looked at outlives whoever they looked at.
operator = Table(
    "operator",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("role", String(10), nullable=False),  # dpo | auditor | admin
    Column("identity", LargeBinary),  # sealed, compartment staff; none once its term is over
    # Who is on file for the mails with their links alone; none: nobody yet, or for other reasons.
    Column("mailbox", String(40)),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("eid", LargeBinary, nullable=False),  # the event that made it what it is
    *honest(),
)
# A link to the desk, and the session that its spending opened (`gateway/callers/visits.py`).
operator_link = Table(
    "operator_link",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("operator", String(40), nullable=False, index=True),
    Column("subject", String(40)),  # to whose mailbox it went; none: it was printed
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("spent_at", Moment),
    *honest(),
)
operator_session = Table(
    "operator_session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True, info=within(32)),
    Column("operator", String(40), nullable=False, index=True),
    Column("link", String(40), nullable=False),  # that opened it
    Column("opened_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    *honest(),
)
# An export that was asked for at the desk, and its bytes, until they are fetched once
# (`gateway/callers/desk_exports.py`).
desk_export = Table(
    "desk_export",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("operator", String(40), nullable=False, index=True),  # who asked: nobody else gets it
    Column("subject", String(40), index=True),  # whose; none: the log's, or they were erased
    Column("why", LargeBinary),  # sealed, compartment profile
    Column("wanted", Text, nullable=False),  # form, times, case: nothing of anybody
    Column("asked_at", Moment, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("reason", String(10)),
    Column("name", String(80)),  # of the bytes that are kept, as an export's (docs/formats)
    Column("done", BigInteger, nullable=False),  # entries that were gone through
    Column("whole", BigInteger, nullable=False),  # that there are
    Column("pieces", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("maker", String(40)),
    Column("lease_until", Moment),
    Column("tries", Integer, nullable=False),
    Column("ended_at", Moment),
    Column("fetched_at", Moment),
    *honest(),
)
desk_export_piece = Table(
    "desk_export_piece",
    metadata,
    Column("export", String(40), primary_key=True, info=within(1, 40)),
    Column("n", Integer, primary_key=True, autoincrement=False, info=within(0, 2**31 - 1)),
    Column("sealed", LargeBinary, nullable=False),
)

# What was answered under an idempotency key; without a status, its first request runs.
idempotency = Table(
    "idempotency",
    metadata,
    Column("api_key", String(40), primary_key=True),
    Column("endpoint", String(100), primary_key=True),
    Column("key_hash", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # keyed hash of the body
    Column("owner", LargeBinary, nullable=False),  # fences a request that outlived its claim
    Column("status", Integer),
    Column("answer", LargeBinary),
    Column("started_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)

# GCRA: the moment at which a limit's bucket is empty again.
rate_limit = Table(
    "rate_limit",
    metadata,
    Column("key", LargeBinary, primary_key=True),  # under a weekly key that is destroyed
    Column("empty_at", BigInteger, nullable=False, index=True),  # microseconds since 1970
)

# Stamps of forms that a sign-up came with: each proves once who showed the wording.
spent_stamp = Table(
    "spent_stamp",
    metadata,
    Column("nonce_hash", LargeBinary, primary_key=True),
    Column("post_mark", LargeBinary, nullable=False),  # keyed with the nonce, which is not kept
    Column("spent_at", Moment, nullable=False, index=True),
)
