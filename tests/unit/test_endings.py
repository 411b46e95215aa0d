"""No table is forgotten when the key that signs its rows ends."""

from __future__ import annotations

from gateway.callers import api_keys
from gateway.flows.keeping import endings
from gateway.schema.database_schema import DATA, GUARD, KEYSTORE

METADATA = [one for schema in (DATA, KEYSTORE, GUARD) for one in schema.tables]
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
