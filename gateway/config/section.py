"""What every table of the configuration is: whole, unchanging, and no more than is known of it."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict

SECTION: Final = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)
