"""What a process remembers for seconds it remembers for as long as a test takes."""

from __future__ import annotations

from typing import Final

import pytest

from consent.keys import content_keys, data_keys, intake_keys
from gateway.http import wordings

_LONG: Final = 3600.0


def remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one of two askers on a slow machine has read anew what the other had in memory."""
    for module in (wordings, content_keys, data_keys, intake_keys):
        monkeypatch.setattr(module, "_FRESH", _LONG)
    monkeypatch.setattr(intake_keys, "_IN_TIME", _LONG)
