"""Why a flow stops: bytes of our own that we cannot read. Outcomes are values.

FlowError
├── ContentError    stored mail content that no release wrote
├── NoSuchExport    of that name the bytes would be others now, or there never was one
├── TooManyEvents   for a paper
├── TooLong         what is to be said, for a paper
├── NotNow          it can be done later
└── PersonEnded     somebody is forgotten while what is kept of them is handed out
"""

from __future__ import annotations


class FlowError(Exception):
    """Anything a flow raises on purpose."""


class ContentError(FlowError):
    """What a message is to say cannot be read: no release of ours wrote it."""


class PersonEnded(FlowError):
    """Nothing more of this person may be handed out; what was begun stays unfinished."""


class NoSuchExport(FlowError):
    """What an export's name stands for cannot be made any more; begin another one."""


class TooLong(FlowError):
    """It comes to more than a paper has room for; tables and bundles have no such bound."""


class NotNow(FlowError):
    """Nothing was done, and nothing is wrong: try it again."""


class TooManyEvents(FlowError):
    """More than a paper tells of; tables and bundles have no such bound."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} events")
        self.most = most
