"""The published vectors of seals, hashes and MACs, and the keys that they name by a label."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_VECTORS = Path(__file__).parents[1] / "vectors"
AUDIT: dict[str, Any] = json.loads((_VECTORS / "audit.json").read_text("utf-8"))
CONSENT: dict[str, Any] = json.loads((_VECTORS / "consent.json").read_text("utf-8"))
KEY = hashlib.sha256(b"a key").digest()


def key_of(label: str) -> bytes:
    return hashlib.sha256(label.removeprefix("SHA-256('").removesuffix("')").encode()).digest()
