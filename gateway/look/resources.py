"""Where the files that are not code lie: beside the checkout, or inside the installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent  # where the wheel puts what is not code

# The gateway's own mails, which no caller may use, nor an operator replace.
SERVICE: Final = frozenset(
    {
        "address_asked",
        "address_changed",
        "address_confirm",
        "asked_again",
        "checkpoint",
        "confirmation",
        "desk",
        "my_data",
        "probe",
        "re_permission",
        "stop_lifted",
        "withdrawal",
    }
)


@cache
def templates() -> Path:
    """The folder with `mail/`, `notice/`, `pages/` and `papers/`."""
    installed = _PACKAGE / "_data" / "templates"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates"


def catalogues() -> Path:
    """The folder with one message catalogue per language."""
    return _HERE / "locale"
