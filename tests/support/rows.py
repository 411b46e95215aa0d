"""Keys for rows of tests that open no gateway."""

from __future__ import annotations

from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.secret import Secret

ROWS = RowKeys(KeySet.of(Secret(b"r" * 32)))
