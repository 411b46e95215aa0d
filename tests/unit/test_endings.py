"""No table is forgotten when the key that signs its rows ends."""

from __future__ import annotations

import audit.tables
import consent.keys.tables
import consent.tables
import consent.telling_tables
import delivery.tables
from gateway.callers import api_keys
from gateway.flows.keeping import endings
from gateway.schema.tables import metadata

METADATA = (
    audit.tables.metadata,
    consent.tables.metadata,
    consent.tables.guard_metadata,
    consent.keys.tables.metadata,
    consent.telling_tables.metadata,
    delivery.tables.metadata,
    metadata,
)
OF_OTHER_KEYS = {
    "audit_entry",  # of `audit`: signed anew
    "audit_pending",  # of `audit`: until they have an index
    "mark",  # of `marks`: until they go
    "service_mail",  # of `suppression`: for as long as they stand
    "subject_index",  # of `lookup`
    "suppression",  # of `suppression`: for as long as they stand
}


def test_whoever_adds_a_signed_table_says_how_its_rows_get_the_next_key() -> None:
    signed = {t.name for meta in METADATA for t in meta.sorted_tables if "kid" in t.columns}
    ends = (*endings.OF_DATA, *endings.OF_KEYS, *endings.OF_GUARD, *endings.KEYED)

    told = {one.table.name for one in ends} | {api_keys.REVOKED.table.name} | OF_OTHER_KEYS

    assert signed == told
