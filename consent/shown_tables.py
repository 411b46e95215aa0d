"""What people were shown, or sent, without what was theirs (`consent/specimens.py`)."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, MetaData, String, Table

from storage.types import Moment

metadata = MetaData()

specimen = Table(
    "specimen",
    metadata,
    Column("hash", String(71), primary_key=True),
    Column("what", String(12), nullable=False),  # `specimens.What`
    Column("body", LargeBinary, nullable=False),
    Column("kept_at", Moment, nullable=False),
)
