"""Blocks of a mailbox that may be another person's word, whose address is spelled almost alike.

A block is of the folded mailbox and says nobody's name. What somebody said themselves goes
with them, or is theirs to lift; of what may be a neighbour's nothing is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from consent.gates import Gate
from consent.suppressions import Blocked


def may_be_theirs(block: Blocked, said_at: datetime | None, neighbours: Collection[Gate]) -> bool:
    """Say whether a block may be of one of *neighbours*, beside somebody who *said_at* last no.

    Who says no ends what waits for all who share the mailbox, so of these a moment of the
    same act says nothing; any other one is of a word of theirs, and so is an older block.
    """
    if any(one.objected_at is not None for one in neighbours):
        return True
    if any(one.asking_blocked_at not in (None, said_at) for one in neighbours):
        return True
    return said_at is None or block.since < said_at
