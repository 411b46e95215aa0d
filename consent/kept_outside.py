"""Whether the mail that carries a checkpoint, to be kept outside, may go: values in, value out.

It rests on the configuration, and on nothing that anybody asked for: so it goes to the one
mailbox that stands there, and whatever keeps that from being mailed keeps it back.
"""

from __future__ import annotations

from audit.entry import Opener
from consent import personal, policy
from consent.address import Address
from consent.gates import Gate
from consent.model import Granted, Ground, Refused, Unneeded
from consent.policy import Facts

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE = "service.checkpoint"


def wanted(
    facts: Facts, gate: Gate | None, opener: Opener, configured: Address | None, event: str
) -> Granted | Refused | Unneeded:
    """Say whether the mail that the log tells of by *event* may go to the mailbox of *gate*.

    Where the configuration names another one by now, or none, it may not: neither who writes
    rows nor who is on file from before decides where it goes.
    """
    if (why := policy.hindered(facts)) is not None:
        return Refused(why)
    return Granted(Ground.service(event)) if keeps(gate, opener, configured) else Unneeded()


def keeps(gate: Gate | None, opener: Opener, configured: Address | None) -> bool:
    """Whether the mailbox on file is the one that the configuration names."""
    if gate is None or configured is None:
        return False
    return personal.open_mailbox(gate, opener) == configured.mailbox
