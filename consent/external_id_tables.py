"""What callers call a person in their own systems (`consent/external_ids.py`): sealed."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table

from consent.tables import metadata
from storage.sound import within

# Given with one request, for its purpose. It waits with that, and is settled by its confirmation:
# which of the two is in the seal, so that nobody who writes rows settles anything.
external_id = Table(
    "external_id",
    metadata,
    Column("consent", String(40), primary_key=True, info=within(1, 40)),
    Column("subject", ForeignKey("subject.id"), nullable=False, info=within(1, 40)),
    Column("purpose", String(64), nullable=False, info=within(1, 64)),
    Column("state", String(8), nullable=False, info=within(1, 8)),  # waiting | settled
    Column("sealed", LargeBinary, nullable=False, info=within(82, 1 << 16)),
    Index("external_id_of_subject", "subject", "purpose"),
)
